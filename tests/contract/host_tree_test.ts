import { assertEquals, assertRejects } from "@std/assert";
import { HOST_DIR_ENTRIES_MAX, HOST_FILE_BYTES_MAX } from "../../src/core/limits.ts";
import type { HostTree } from "../../src/core/ports/host_tree.ts";
import { NotRegularFileError, SystemError } from "../../src/core/system_error.ts";
import { NativeHostTree } from "../../src/native/host_tree.ts";
import { Libc } from "../../src/native/libc.ts";
import { FolderBuilder, type HostTreeBuilder, MemoryHostTree } from "../support/host_tree.ts";
import { testWhere } from "../support/skip.ts";

type Run = (use: (tree: HostTree, build: HostTreeBuilder) => Promise<void>) => Promise<void>;

const IMPLEMENTATIONS: readonly { name: string; run: Run; noDevices: string | undefined }[] = [
  {
    name: "MemoryHostTree",
    noDevices: undefined,
    run: async (use) => {
      const tree = new MemoryHostTree();
      await use(tree, tree);
    },
  },
  {
    name: "NativeHostTree",
    noDevices: Deno.uid() === 0 ? undefined : "only root may make device files",
    run: async (use) => {
      await using builder = await FolderBuilder.create();
      using libc = Libc.open();
      using tree = new NativeHostTree(libc, builder.folder);
      await use(tree, builder);
    },
  },
];

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

async function fails(errno: string, call: () => Promise<unknown>): Promise<void> {
  const error = await assertRejects(call, SystemError);
  assertEquals(error.errno, errno, error.message);
}

for (const { name, run, noDevices } of IMPLEMENTATIONS) {
  Deno.test(`${name}.readFile() gives the whole content, through links`, () =>
    run(async (tree, build) => {
      await build.file("/sys/devices/virtual/null/uevent", "MAJOR=1\n");
      await build.link("/sys/dev/char/1:3", "../../devices/virtual/null");
      await build.file("/empty", "");
      assertEquals(text(await tree.readFile("/sys/dev/char/1:3/uevent")), "MAJOR=1\n");
      assertEquals((await tree.readFile("/empty")).length, 0);
    }));

  Deno.test(`${name}.readFile() reads files up to the bound and no larger`, () =>
    run(async (tree, build) => {
      await build.file("/full", new Uint8Array(HOST_FILE_BYTES_MAX).fill(7));
      await build.file("/over", new Uint8Array(HOST_FILE_BYTES_MAX + 1));
      assertEquals(
        await tree.readFile("/full"),
        new Uint8Array(HOST_FILE_BYTES_MAX).fill(7),
      );
      await fails("EFBIG", () => tree.readFile("/over"));
    }));

  Deno.test(`${name} names what keeps it from a path`, () =>
    run(async (tree, build) => {
      await build.file("/file", "x");
      await build.link("/round", "round");
      await build.link("/dangling", "nothing");
      for (const call of ["stat", "readFile", "list"] as const) {
        await fails("ENOENT", () => tree[call]("/missing"));
        await fails("ENOENT", () => tree[call]("/dangling"));
        await fails("ENOTDIR", () => tree[call]("/file/below"));
        await fails("ELOOP", () => tree[call]("/round"));
      }
      await fails("ENOENT", () => tree.readLink("/missing"));
      await fails("EINVAL", () => tree.readLink("/file"));
      await fails("EISDIR", () => tree.readFile("/"));
      await fails("ENOTDIR", () => tree.list("/file"));
    }));

  Deno.test(`${name}.readFile() does not open sockets and FIFOs`, () =>
    run(async (tree, build) => {
      await build.socket("/run/s.sock");
      await build.fifo("/run/fifo");
      assertEquals((await tree.stat("/run/s.sock")).kind, "socket");
      assertEquals((await tree.stat("/run/fifo")).kind, "fifo");
      await assertRejects(() => tree.readFile("/run/s.sock"), NotRegularFileError);
      await fails("EINVAL", () => tree.readFile("/run/s.sock"));
      await fails("EINVAL", () => tree.readFile("/run/fifo"));
      await fails("ENOTDIR", () => tree.list("/run/fifo"));
    }));

  testWhere(
    `${name}.stat() gives the numbers of device files`,
    noDevices,
    () =>
      run(async (tree, build) => {
        await build.device("/store/a", "block", 241, 0);
        await build.device("/store/b", "char", 4095, 1048575);
        await build.link("/store/c", "a");
        assertEquals(await tree.stat("/store/a"), {
          kind: "block",
          rdevMajor: 241,
          rdevMinor: 0,
          sizeBytes: 0n,
        });
        assertEquals(await tree.stat("/store/b"), {
          kind: "char",
          rdevMajor: 4095,
          rdevMinor: 1048575,
          sizeBytes: 0n,
        });
        assertEquals((await tree.stat("/store/c")).rdevMajor, 241);
        await fails("EINVAL", () => tree.readFile("/store/b"));
      }),
  );

  Deno.test(`${name}.identify() is the same for every name of a node and for no other node`, () =>
    run(async (tree, build) => {
      await build.file("/d/a", "twelve bytes");
      await build.file("/d/b", "twelve bytes");
      await build.hardLink("/hard", "/d/a");
      await build.link("/soft", "d/a");
      const first = await tree.identify("/d/a");
      assertEquals([first.kind, first.sizeBytes], ["file", 12n]);
      for (const path of ["/d/../d//a", "/hard", "/soft"]) {
        assertEquals(await tree.identify(path), first);
      }
      const { deviceMajor, deviceMinor, inode } = await tree.identify("/d/b");
      assertEquals([deviceMajor, deviceMinor], [first.deviceMajor, first.deviceMinor]);
      assertEquals(inode === first.inode, false);
      await fails("ENOENT", () => tree.identify("/missing"));
    }));

  Deno.test(`${name}.stat() tells files from folders, gives them no numbers and files a size`, () =>
    run(async (tree, build) => {
      await build.file("/d/file", "twelve bytes");
      const numbers = { rdevMajor: 0, rdevMinor: 0 };
      assertEquals(await tree.stat("/d"), { kind: "directory", ...numbers, sizeBytes: 0n });
      assertEquals(await tree.stat("/d/file"), { kind: "file", ...numbers, sizeBytes: 12n });
    }));

  Deno.test(`${name}.readAt() reads a part of a file of any size, shorter only at its end`, () =>
    run(async (tree, build) => {
      const bytes = Uint8Array.from({ length: HOST_FILE_BYTES_MAX + 100 }, (_, i) => i % 251);
      await build.file("/large", bytes);
      assertEquals(await tree.readAt("/large", 4096, 15), bytes.slice(4096, 4111));
      assertEquals(await tree.readAt("/large", bytes.length - 3, 15), bytes.slice(-3));
      assertEquals((await tree.readAt("/large", bytes.length + 1, 15)).length, 0);
      await fails("EISDIR", () => tree.readAt("/", 0, 1));
      await fails("ENOENT", () => tree.readAt("/none", 0, 1));
    }));

  Deno.test(`${name}.list() is in the order of bytes`, () =>
    run(async (tree, build) => {
      const names = ["é", "b", "a10", "a", "B", "-", "..a", ".a", "\u{ffff}", "\u{1f600}", "a2"];
      for (const one of names) await build.file(`/d/${one}`, "");
      await build.directory("/none");
      assertEquals(await tree.list("/d"), [
        "-",
        "..a",
        ".a",
        "B",
        "a",
        "a10",
        "a2",
        "b",
        "é",
        "\u{ffff}",
        "\u{1f600}",
      ]);
      assertEquals(await tree.list("/none"), []);
    }));

  Deno.test(`${name}.list() gives all of a large folder`, () =>
    run(async (tree, build) => {
      const names = Array.from({ length: 1500 }, (_, i) => `entry-${String(i).padStart(30, "0")}`);
      for (const one of names) await build.file(`/d/${one}`, "");
      assertEquals(await tree.list("/d"), names);
    }));

  Deno.test(`${name} lets no link lead out of its root`, () =>
    run(async (tree, build) => {
      await build.file("/etc/hostname", "inside\n");
      await build.link("/absolute", "/etc/hostname");
      await build.link("/up", "../../../../../../../../etc/hostname");
      for (const path of ["/absolute", "/up", "/../../etc/hostname"]) {
        assertEquals(text(await tree.readFile(path)), "inside\n", path);
      }
      assertEquals(await tree.readLink("/absolute"), "/etc/hostname");
      assertEquals(await tree.readLink("/up"), "../../../../../../../../etc/hostname");
    }));
}

Deno.test("MemoryHostTree.list() has the bound of the real one", async () => {
  const tree = new MemoryHostTree();
  for (let i = 0; i <= HOST_DIR_ENTRIES_MAX; i++) await tree.file(`/d/${i}`, "");
  await fails("EOVERFLOW", () => tree.list("/d"));
});

Deno.test("NativeHostTree refuses a root that does not exist and a path with a zero byte", async () => {
  using libc = Libc.open();
  await fails("ENOENT", () => Promise.try(() => new NativeHostTree(libc, "/no/such/folder")));
  using tree = new NativeHostTree(libc, "/");
  await fails("EINVAL", () => tree.readFile("/etc/host\0name"));
});
