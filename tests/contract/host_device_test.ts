import { assert, assertEquals, assertRejects } from "@std/assert";
import type { HostDevice } from "../../src/core/ports/host_device.ts";
import { SystemError } from "../../src/core/system_error.ts";
import { O_NONBLOCK, O_RDWR } from "../../src/native/constants.ts";
import { openPath } from "../../src/native/descriptor.ts";
import { NativeHostDevice, openHostDevice } from "../../src/native/host_device.ts";
import { NativeHostTree } from "../../src/native/host_tree.ts";
import { Libc } from "../../src/native/libc.ts";
import { FakeHostDevice } from "../support/host_device.ts";

const FOUR = new Uint8Array([4, 3, 2, 1]);

type Use = (device: HostDevice, show: (bytes: Uint8Array<ArrayBuffer>) => void) => Promise<void>;

/** Runs on a folder of its own that looks like a host. */
async function onHost(
  use: (parts: { libc: Libc; tree: NativeHostTree; folder: string }) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  using libc = Libc.open();
  using tree = new NativeHostTree(libc, folder);
  await Deno.mkdir(`${folder}/dev`);
  await Deno.writeTextFile(`${folder}/own`, "");
  await use({ libc, tree, folder });
  await Deno.remove(folder, { recursive: true });
}

/** Something that tells of news: a FIFO has what a driver has, but for its place in a read. */
const TELLING: readonly { name: string; run: (use: Use) => Promise<void> }[] = [
  {
    name: "FakeHostDevice",
    run: async (use) => {
      const device = new FakeHostDevice(undefined);
      await use(device, (bytes) => device.show(bytes));
      await device.close();
    },
  },
  {
    name: "NativeHostDevice on a FIFO",
    run: (use) =>
      onHost(async ({ libc, folder }) => {
        const path = `${folder}/dev/fifo`;
        await new Deno.Command("mkfifo", { args: [path] }).output();
        const device = new NativeHostDevice(openPath(libc, path, O_RDWR | O_NONBLOCK));
        await use(device, (bytes) => Deno.writeFileSync(path, bytes));
        await device.close();
      }),
  },
];

const SILENT: typeof TELLING = [
  {
    name: "FakeHostDevice like a file",
    run: async (use) => {
      const device = new FakeHostDevice(FOUR, { polls: false });
      await use(device, (bytes) => device.show(bytes));
    },
  },
  {
    name: "NativeHostDevice on a file",
    run: (use) =>
      onHost(async ({ libc, tree, folder }) => {
        await Deno.writeFile(`${folder}/dev/counter`, FOUR);
        const device = await openHostDevice(libc, tree, "/dev/counter", `${folder}/own`);
        assert(device !== undefined);
        await use(device, (bytes) => Deno.writeFileSync(`${folder}/dev/counter`, bytes));
        await device.close();
      }),
  },
];

for (const { name, run } of TELLING) {
  Deno.test(`${name}.read() answers nothing while there is nothing to read`, () =>
    run(async (device, show) => {
      assertEquals(await device.read(4), undefined);
      show(FOUR);
      assertEquals(await device.read(4), FOUR);
    }));

  Deno.test(`${name}.wait() ends with its time, and holds nothing else up`, () =>
    run(async (device) => {
      let beats = 0;
      const beating = setInterval(() => beats++, 10);
      const begun = performance.now();
      assertEquals(await device.wait(150), "nothing");
      clearInterval(beating);
      assert(performance.now() - begun >= 140);
      assert(beats >= 3, `the event loop stood still: ${beats} beats`);
    }));

  Deno.test(`${name}.wait() ends at once with news, also with those that were there`, () =>
    run(async (device, show) => {
      const waiting = device.wait(10_000);
      show(FOUR);
      assertEquals(await waiting, "news");
      assertEquals(await device.wait(10_000), "news");
      await device.read(4);
      assertEquals(await device.wait(1), "nothing");
    }));

  Deno.test(`${name}.write() writes`, () =>
    run(async (device) => assertEquals(await device.write(FOUR), true)));
}

for (const { name, run } of SILENT) {
  Deno.test(`${name} shows what is there, does not tell of news, and is never written to`, () =>
    run(async (device, show) => {
      assertEquals(await device.read(4), FOUR);
      assertEquals((await device.read(2))?.length, 2);
      assertEquals((await device.read(9))?.length, 4);
      assertEquals(await device.wait(10_000), "unpollable");
      assertEquals(await device.write(new Uint8Array(4)), false);
      assertEquals(await device.read(4), FOUR);
      show(new Uint8Array([9, 9, 9, 9]));
      assertEquals((await device.read(1))?.[0], 9);
    }));
}

Deno.test("NativeHostDevice over a file that is truncated reads less and lives", () =>
  SILENT[1]?.run(async (device, show) => {
    show(new Uint8Array());
    assertEquals((await device.read(4))?.length, 0);
  }));

Deno.test("openHostDevice() finds nothing where there is nothing, and refuses what is no counter", () =>
  onHost(async ({ libc, tree, folder }) => {
    const open = (path: string) => openHostDevice(libc, tree, path, `${folder}/own`);
    assertEquals(await open("/dev/nothing"), undefined);
    await Deno.mkdir(`${folder}/dev/folder`);
    await new Deno.Command("mkfifo", { args: [`${folder}/dev/fifo`] }).output();
    for (const path of ["/dev/folder", "/dev/fifo"]) {
      assertEquals((await assertRejects(() => open(path), SystemError)).errno, "EINVAL");
    }
    await Deno.link(`${folder}/own`, `${folder}/dev/own`);
    assertEquals((await assertRejects(() => open("/dev/own"), SystemError)).errno, "ELOOP");
  }));

Deno.test("NativeHostDevice on a real device file is read, waited for and written to", () =>
  onHost(async ({ libc, folder }) => {
    using tree = new NativeHostTree(libc, "/");
    const device = await openHostDevice(libc, tree, "/dev/zero", `${folder}/own`);
    assertEquals(await device?.read(4), new Uint8Array(4));
    assertEquals(await device?.wait(10_000), "news");
    await device?.close();
    const full = await openHostDevice(libc, tree, "/dev/full", `${folder}/own`);
    await assertRejects(() => full?.write(FOUR) ?? Promise.resolve(), SystemError, "ENOSPC");
    await full?.close();
  }));

Deno.test("openHostDevice() leaves nothing open when it cannot look at the file to keep out", async () => {
  await onHost(async ({ libc, tree, folder }) => {
    await Deno.writeTextFile(`${folder}/dev/file`, "");
    const openFiles = () => [...Deno.readDirSync("/proc/self/fd")].length;
    const before = openFiles();
    for (let turn = 0; turn < 20; turn++) {
      const opening = openHostDevice(libc, tree, "/dev/file", `${folder}/gone`);
      await assertRejects(() => opening, SystemError);
    }
    assertEquals(openFiles(), before);
  });
});
