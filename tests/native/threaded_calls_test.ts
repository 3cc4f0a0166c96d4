import { assertEquals, assertRejects } from "@std/assert";
import { delay } from "@std/async";
import { SLOW_FAILURE_MS, SLOW_FAILURES_MAX } from "../../src/core/limits.ts";
import type { BackingFile } from "../../src/core/ports/backing_file.ts";
import { SystemError } from "../../src/core/system_error.ts";
import { O_RDONLY } from "../../src/native/constants.ts";
import { openPath } from "../../src/native/descriptor.ts";
import { NativeHostDevice } from "../../src/native/host_device.ts";
import { HostRoot } from "../../src/native/host_root.ts";
import { Libc } from "../../src/native/libc.ts";
import { MappedCacheFiles } from "../../src/native/mapped_cache_file.ts";
import { SharedFolder } from "../../src/native/shared_folder.ts";
import type { RepeatableCall } from "../../src/native/symbols.ts";
import { FailingCalls } from "../support/failing_calls.ts";
import { testWhere } from "../support/skip.ts";
import { SmallDisk } from "../support/small_disk.ts";

const SLOW_MS = SLOW_FAILURE_MS + 20;
const ALWAYS_SLOW: readonly number[] = Array(SLOW_FAILURES_MAX).fill(SLOW_MS);
const MIB = 1n << 20n;
const REQUEST = { path: "f", access: "rw", permissions: 0o600 } as const;
const F = new TextEncoder().encode("f");

interface Opened {
  readonly folder: string;
  readonly libc: Libc;
  readonly root: HostRoot;
  readonly file: BackingFile;
}

/** Files that were opened before their storage began to fail. */
async function withFile(fn: (opened: Opened) => Promise<void>, dir?: string): Promise<void> {
  const outer = Deno.makeTempDirSync(dir === undefined ? {} : { dir });
  const libc = Libc.open();
  const root = new HostRoot(libc, outer);
  try {
    const { file } = await root.open({ ...REQUEST, create: "if-missing" });
    await fn({ folder: outer, libc, root, file }).finally(() => file.close());
  } finally {
    root[Symbol.dispose]();
    libc[Symbol.dispose]();
    Deno.removeSync(outer, { recursive: true });
  }
}

async function errnoOf(call: Promise<unknown>): Promise<string> {
  return (await assertRejects(() => call, SystemError)).errno;
}

const bytes = new Uint8Array(8);
const operations: Record<string, [RepeatableCall, (opened: Opened) => Promise<unknown>]> = {
  "HostFile.read()": ["pread", ({ file }) => file.read(bytes, 0n)],
  "HostFile.write()": ["pwrite", ({ file }) => file.write(bytes, 0n)],
  "HostFile.truncate()": ["ftruncate", ({ file }) => file.truncate(5n)],
  "HostFile.allocate()": ["fallocate", ({ file }) => file.allocate(0n, 5n)],
  "HostFile.look()": ["statx", ({ file }) => file.look()],
  "HostFile.link()": ["linkat", ({ file }) => file.link("g")],
  "HostFile.unlink()": ["unlinkat", ({ file }) => file.unlink("f")],
  "HostFile.change() of the owner": ["fchown", ({ file }) => file.change({ uid: Deno.uid() ?? 0 })],
  "HostFile.change() of the permissions": [
    "fchmod",
    ({ file }) => file.change({ permissions: 0o600 }),
  ],
  "HostFile.change() of a time": ["futimens", ({ file }) => file.change({ accessTimeNs: 1n })],
  "HostRoot.open()": ["syscall_openat2", ({ root }) => root.open({ ...REQUEST, create: "never" })],
  "SharedFolder.node()": ["syscall_openat2", async ({ libc, folder }) => {
    using share = new SharedFolder(libc, folder);
    await share.node([F]);
  }],
  "SharedFolder.read()": ["pread", async ({ libc, folder }) => {
    using share = new SharedFolder(libc, folder);
    await share.read([F], await share.node([F]), 0n, 8);
  }],
  "NativeHostDevice.read()": ["pread", async ({ libc, folder }) => {
    const device = new NativeHostDevice(openPath(libc, `${folder}/f`, O_RDONLY));
    await device.read(4).finally(() => device.close());
  }],
  "MappedCacheFile.reserve()": ["fallocate", async ({ libc, folder }) => {
    const cache = await new MappedCacheFiles(libc, folder).create("c");
    await cache.reserve({ start: 0n, end: 4096n }).finally(() => cache.close());
  }],
};

for (const [name, [call, operate]] of Object.entries(operations)) {
  Deno.test(`${name} never waits on the event loop for storage that fails slowly`, async () => {
    await withFile(async (opened) => {
      const calls = new FailingCalls(opened.libc, call, ALWAYS_SLOW);
      assertEquals(await errnoOf(operate(opened)), "EIO");
      assertEquals([calls.onThreads, calls.onLoop], [SLOW_FAILURES_MAX, 0]);
    });
  });
}

Deno.test("HostFile.sync() asks once: that pages were lost is told once", async () => {
  await withFile(async ({ libc, file }) => {
    const calls = new FailingCalls(libc, "fdatasync", []);
    assertEquals(await errnoOf(file.sync()), "EIO");
    assertEquals([calls.onThreads, calls.onLoop], [1, 0]);
  });
});

testWhere(
  "HostFile.allocate() tells a lack of room from other slow failures",
  SmallDisk.missing(),
  async () => {
    using disk = SmallDisk.mount(Number(MIB));
    await withFile(async ({ libc, file }) => {
      new FailingCalls(libc, "fallocate", ALWAYS_SLOW);
      assertEquals(await errnoOf(file.allocate(0n, 2n * MIB)), "ENOSPC");
    }, disk.folder);
    await withFile(async ({ libc, file }) => {
      new FailingCalls(libc, "fallocate", ALWAYS_SLOW);
      assertEquals(await errnoOf(file.allocate(0n, MIB / 2n)), "EIO");
    }, disk.folder);
  },
);

const NO_FILE: [number, Uint8Array<ArrayBuffer>, bigint, bigint] = [-1, new Uint8Array(8), 8n, 0n];

Deno.test("Libc.onThread() tells why a call failed at once", async () => {
  using libc = Libc.open();
  const calls = new FailingCalls(libc, "pread", []);
  assertEquals(await errnoOf(libc.onThread("pread", NO_FILE, "f")), "EBADF");
  assertEquals([calls.onThreads, calls.onLoop], [1, 1]);
});

Deno.test("Libc.onThread() tells why a call failed slowly and then at once, as a cold look-up does", async () => {
  using libc = Libc.open();
  const calls = new FailingCalls(libc, "pread", [SLOW_MS]);
  assertEquals(await errnoOf(libc.onThread("pread", NO_FILE, "f")), "EBADF");
  assertEquals([calls.onThreads, calls.onLoop], [2, 1]);
});

Deno.test("Libc.onThread() gives what a call answers that failed slowly before", async () => {
  using libc = Libc.open();
  const answers = [-1n, 7n];
  const pread_thread = async () => {
    await delay(SLOW_MS);
    return answers.shift();
  };
  Object.assign(libc, { symbols: { ...libc.symbols, pread_thread } });
  assertEquals(await libc.onThread("pread", NO_FILE, "f"), 7n);
});
