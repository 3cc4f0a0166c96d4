import { assertEquals, assertThrows } from "@std/assert";
import { Fault } from "../../src/core/faults.ts";
import { PAGE_BYTES } from "../../src/core/limits.ts";
import { storeSysgenid, sysgenidBytes } from "../../src/generations/sysgenid_page.ts";
import { PageFiles } from "../../src/storage/page_files.ts";

const inodeOf = (path: string): number | null => Deno.statSync(path).ino;
const modeOf = (path: string): number => (Deno.statSync(path).mode ?? 0) & 0o777;

async function folder(): Promise<PageFiles> {
  return new PageFiles(`${await Deno.makeTempDir()}/pages`, "all");
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
