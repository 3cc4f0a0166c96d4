import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Fault } from "../../src/core/faults.ts";
import type { JournalHeader, JournalRecord } from "../../src/core/ports/journal.ts";
import { SystemError } from "../../src/core/system_error.ts";
import { sysgenidBytes } from "../../src/generations/sysgenid_page.ts";
import { JournalFiles } from "../../src/storage/journal_file.ts";
import { Libc } from "../../src/native/libc.ts";
import { PageFiles } from "../../src/storage/page_files.ts";
import { SpoolFiles } from "../../src/storage/spool_files.ts";
import { testWhere } from "../support/skip.ts";
import { SmallDisk } from "../support/small_disk.ts";

const libc = Libc.open();
const missing = SmallDisk.missing();
const TRIES = 20;
const HEADER: JournalHeader = { bootId: "boot-1", root: "r", path: "f", device: 1n, inode: 1n };

const namesIn = (folder: string): string[] => [...Deno.readDirSync(folder)].map((one) => one.name);
const openFiles = (): number => namesIn("/proc/self/fd").length;

/** Calls something that has to fail, and checks that each file is closed again. */
async function leavesNoFileOpen(call: (turn: number) => Promise<unknown>): Promise<void> {
  const before = openFiles();
  for (let turn = 0; turn < TRIES; turn++) await call(turn);
  assertEquals(openFiles(), before);
}

testWhere("JournalFiles.create() on a full disk leaves no file, open or not", missing, async () => {
  using disk = SmallDisk.mount(65_536);
  const journals = new JournalFiles(`${disk.folder}/inodes`);
  disk.fill();
  await leavesNoFileOpen(async (turn) => {
    const error = await assertRejects(() => journals.create(`id${turn}`, HEADER), SystemError);
    assertEquals(error.errno, "ENOSPC");
  });
  assertEquals(namesIn(journals.folder), []);
  disk.clear();
  await (await journals.create("id0", HEADER)).close();
});

Deno.test("JournalFiles.create() leaves a journal alone that is in its place", async () => {
  const folder = Deno.makeTempDirSync();
  const journals = new JournalFiles(folder);
  try {
    await (await journals.create("a", HEADER)).close();
    await leavesNoFileOpen(async () => {
      const error = await assertRejects(() => journals.create("a", HEADER), SystemError);
      assertEquals(error.errno, "EEXIST");
    });
    assertEquals((await journals.left())[0]?.header, HEADER);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

testWhere(
  "Journal.rewrite() on a full disk leaves no draft, which would take the last room",
  missing,
  async () => {
    using disk = SmallDisk.mount(1_048_576);
    const journals = new JournalFiles(`${disk.folder}/inodes`);
    const journal = await journals.create("a", HEADER);
    disk.fill();
    const records = Array.from({ length: 1_000 }, (_, at): JournalRecord => ({
      kind: "dirty",
      start: BigInt(2 * at),
      end: BigInt(2 * at + 1),
    }));
    try {
      await leavesNoFileOpen(async () => {
        journal.rewrite(records);
        await assertRejects(() => journal.flush(), SystemError);
      });
      assertEquals(namesIn(journals.folder), ["a.journal"]);
      disk.clear();
      await journal.flush();
      assertEquals((await journals.left())[0]?.records, records);
    } finally {
      await journal.close();
    }
  },
);

testWhere("PageFiles.open() on a full disk leaves no file, open or not", missing, async () => {
  using disk = SmallDisk.mount(65_536);
  const pages = new PageFiles(libc, `${disk.folder}/pages`, "all");
  Deno.mkdirSync(`${pages.folder}/vm-7`, { recursive: true });
  disk.fill();
  await leavesNoFileOpen(() => {
    assertThrows(() => pages.open("vm-7", "sysgenid", sysgenidBytes(1)), Fault);
    return Promise.resolve();
  });
  assertEquals(namesIn(`${pages.folder}/vm-7`), []);
  disk.clear();
  pages.open("vm-7", "sysgenid", sysgenidBytes(1)).page.close();
});

Deno.test("PageFiles.open() leaves no page open that cannot be grown", async () => {
  const folder = Deno.makeTempDirSync();
  const pages = new PageFiles(libc, folder, "all");
  Deno.mkdirSync(`${folder}/vm-7`);
  Deno.writeFileSync(`${folder}/vm-7/sysgenid`, new Uint8Array(4));
  const { fallocate } = libc.symbols;
  try {
    Object.assign(libc.symbols, { fallocate: () => libc.symbols.close(-1) });
    await leavesNoFileOpen(() => {
      assertThrows(() => pages.open("vm-7", "sysgenid", sysgenidBytes(1)), Fault, "EBADF");
      return Promise.resolve();
    });
  } finally {
    Object.assign(libc.symbols, { fallocate });
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("SpoolFiles.create() that fails leaves no file, open or not", async () => {
  const folder = Deno.makeTempDirSync();
  const spools = new SpoolFiles(folder);
  const { open, remove } = Deno;
  const refuse = () => Promise.reject(new Deno.errors.PermissionDenied("refused"));
  const refused = () => assertRejects(() => spools.create(), SystemError);
  try {
    Deno.open = refuse;
    await leavesNoFileOpen(refused);
    assertEquals(namesIn(folder), []);
    Deno.open = open;
    Deno.remove = refuse;
    await leavesNoFileOpen(refused);
  } finally {
    Object.assign(Deno, { open, remove });
    Deno.removeSync(folder, { recursive: true });
  }
});
