import { assertEquals, assertGreater, assertThrows } from "@std/assert";
import { delay } from "@std/async";
import { Fault } from "../../src/core/faults.ts";
import { PAGE_BYTES } from "../../src/core/limits.ts";
import { mendSysgenid, storeSysgenid, sysgenidBytes } from "../../src/generations/sysgenid_page.ts";
import { storeVmclock, vmclockBytes } from "../../src/generations/vmclock_page.ts";
import { Libc } from "../../src/native/libc.ts";
import { storeFence } from "../../src/native/store_fence.ts";
import { PageFiles } from "../../src/storage/page_files.ts";
import { missingProgram, testWhere } from "../support/skip.ts";
import { VmclockProbe } from "../support/vmclock_probe.ts";

const libc = Libc.open();
const inodeOf = (path: string): number | null => Deno.statSync(path).ino;
const modeOf = (path: string): number => (Deno.statSync(path).mode ?? 0) & 0o777;

async function folder(): Promise<PageFiles> {
  return new PageFiles(libc, `${await Deno.makeTempDir()}/pages`, "all");
}

Deno.test("PageFiles.open() makes 4096 bytes, readable for all, the generation first (case 1)", async () => {
  const pages = await folder();
  const { page, found } = pages.open("vm-7", "sysgenid", sysgenidBytes(0x01020304));
  assertEquals(found, undefined);
  const bytes = Deno.readFileSync(page.path);
  assertEquals(bytes.byteLength, PAGE_BYTES);
  assertEquals(new Uint32Array(bytes.buffer)[0], 0x01020304);
  assertEquals(bytes.subarray(4).every((byte) => byte === 0), true);
  assertEquals(modeOf(page.path), 0o644);
  assertEquals(modeOf(`${pages.folder}/vm-7`), 0o755);
  assertEquals([...Deno.readDirSync(`${pages.folder}/vm-7`)].map(({ name }) => name), ["sysgenid"]);
  page.close();
});

Deno.test("PageFiles.open() keeps one inode for life and says what it found (case 19)", async () => {
  const pages = await folder();
  const first = pages.open("vm-7", "sysgenid", sysgenidBytes(1)).page;
  const inode = inodeOf(first.path);
  storeSysgenid(first, 4_294_967_295);
  first.close();
  const again = pages.open("vm-7", "sysgenid", sysgenidBytes(9));
  assertEquals(again.found?.slice(0, 4), sysgenidBytes(4_294_967_295));
  storeSysgenid(again.page, 0);
  assertEquals(inodeOf(first.path), inode);
  assertEquals(new Uint32Array(again.page.bytes().buffer)[0], 0);
  again.page.close();
});

Deno.test("PageFiles.open() grows a short page in place (case 20)", async () => {
  for (const short of [new Uint8Array(), new Uint8Array([5, 0, 0, 0])]) {
    const pages = await folder();
    const path = `${pages.folder}/vm-7/sysgenid`;
    Deno.mkdirSync(`${pages.folder}/vm-7`, { recursive: true });
    Deno.writeFileSync(path, short);
    const inode = inodeOf(path);
    const { page, found } = pages.open("vm-7", "sysgenid", sysgenidBytes(1));
    assertEquals([found?.[0], found?.byteLength], [short[0] ?? 0, PAGE_BYTES]);
    assertEquals([inodeOf(path), Deno.statSync(path).size], [inode, PAGE_BYTES]);
    page.close();
  }
});

Deno.test("PageFiles.open() refuses whatever is no regular file, and leaves it alone (case 20)", async () => {
  const makers: Record<string, (path: string) => void> = {
    folder: (path) => Deno.mkdirSync(path),
    symlink: (path) => Deno.symlinkSync("/etc/hostname", path),
    "dangling symlink": (path) => Deno.symlinkSync("/nowhere", path),
    fifo: (path) => new Deno.Command("mkfifo", { args: [path] }).outputSync(),
  };
  for (const [kind, make] of Object.entries(makers)) {
    const pages = await folder();
    Deno.mkdirSync(`${pages.folder}/vm-7`, { recursive: true });
    make(`${pages.folder}/vm-7/sysgenid`);
    const fault = assertThrows(
      () => pages.open("vm-7", "sysgenid", sysgenidBytes(1)),
      Fault,
      "",
      kind,
    );
    assertEquals(fault.code, "page-unusable", kind);
  }
});

testWhere(
  "a program that reads the vmclock page without a pause finds no odd sequence in 100,000 bumps",
  missingProgram("cc"),
  async () => {
    const pages = await folder();
    const { page } = pages.open("vm-7", "vmclock", vmclockBytes(0n));
    const probe = await VmclockProbe.start(page.path);
    for (let epoch = 1n; epoch <= 100_000n; epoch++) storeVmclock(page, epoch);
    const { looks, ...seen } = await probe.end();
    assertEquals(seen, { odd: 0, gaveUp: 0, wentBack: 0, generation: 100_000 });
    assertGreater(looks, 100_000);
    page.close();
  },
);

testWhere(
  "the program that looks for an odd sequence finds one that is stored between two bumps",
  missingProgram("cc"),
  async () => {
    const pages = await folder();
    const { page } = pages.open("vm-7", "vmclock", vmclockBytes(0n));
    const probe = await VmclockProbe.start(page.path);
    page.store([[0x08, 1n << 32n]]);
    await delay(100);
    page.store([[0x08, 2n << 32n]]);
    const { odd, gaveUp } = await probe.end();
    assertGreater(odd, 0);
    assertGreater(gaveUp, 0);
    page.close();
  },
);

Deno.test("PageFile.store() makes a page whole that somebody has cut short, and the daemon lives", async () => {
  const pages = await folder();
  const { page } = pages.open("vm-7", "sysgenid", sysgenidBytes(7));
  assertEquals(page.shows(sysgenidBytes(7)), true);
  for (const length of [0, 3, 4095]) {
    Deno.truncateSync(page.path, length);
    assertEquals(page.shows(sysgenidBytes(7)), false, `${length}`);
    storeSysgenid(page, 8);
    assertEquals(Deno.statSync(page.path).size, PAGE_BYTES);
    assertEquals(page.shows(sysgenidBytes(8)), true);
    storeSysgenid(page, 7);
  }
  Deno.truncateSync(page.path, 5000);
  assertEquals(page.shows(sysgenidBytes(7)), true);
  page.close();
});

Deno.test("PageFile.shows() sees any byte that is another", async () => {
  const pages = await folder();
  const { page } = pages.open("vm-7", "sysgenid", sysgenidBytes(7));
  for (const at of [0, 3, 4, 8, 4095]) {
    using file = Deno.openSync(page.path, { write: true });
    file.seekSync(at, Deno.SeekMode.Start);
    file.writeSync(Uint8Array.of(1));
    assertEquals(page.shows(sysgenidBytes(7)), false, `${at}`);
    mendSysgenid(page, 7);
    assertEquals(page.shows(sysgenidBytes(7)), true, `${at}`);
  }
  page.close();
});

Deno.test("storeFence() of either architecture is a call that this kernel grants", () => {
  for (const architecture of ["x86_64", Deno.build.arch] as const) storeFence(libc, architecture)();
});
