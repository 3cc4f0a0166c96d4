import { assertEquals, assertRejects } from "@std/assert";
import type { JournalHeader, JournalRecord, Journals } from "../../src/core/ports/journal.ts";
import { SystemError } from "../../src/core/system_error.ts";
import { JournalFiles } from "../../src/storage/journal_file.ts";
import { MemoryJournals } from "../support/memory_files.ts";

interface Subject extends Disposable {
  readonly journals: Journals;
}

const subjects: Record<string, () => Subject> = {
  "a fake in memory": () => ({ journals: new MemoryJournals(), [Symbol.dispose]() {} }),
  "a file": () => {
    const folder = Deno.makeTempDirSync();
    return {
      journals: new JournalFiles(`${folder}/inodes`),
      [Symbol.dispose]: () => Deno.removeSync(folder, { recursive: true }),
    };
  },
};

const HEADER: JournalHeader = {
  bootId: "boot-1",
  root: "r",
  path: 'a/"ö"\n',
  device: (1n << 64n) - 1n,
  inode: 1n << 63n,
};
const dirty = (start: number, end: number): JournalRecord => ({
  kind: "dirty",
  start: BigInt(start),
  end: BigInt(end),
});
const EACH_KIND: readonly JournalRecord[] = [
  { kind: "settled", sizeBytes: (1n << 63n) - 1n, modificationTimeNs: -5n },
  { kind: "dirty", start: 0n, end: (1n << 64n) - 1n },
  { kind: "clean", start: 5n, end: 6n },
  { kind: "changing" },
  { kind: "overtaken" },
];

for (const [name, make] of Object.entries(subjects)) {
  Deno.test(`Journal keeps every kind of record in the order of append(): ${name}`, async () => {
    using subject = make();
    const journal = await subject.journals.create("a", HEADER);
    for (const record of EACH_KIND) journal.append(record);
    assertEquals(journal.records, EACH_KIND.length);
    await journal.flush();
    const [left] = await subject.journals.left();
    assertEquals(left?.id, "a");
    assertEquals(left?.header, HEADER);
    assertEquals(left?.records, EACH_KIND);
    await journal.close();
  });

  Deno.test(`Journal.readdress() begins anew for another file: ${name}`, async () => {
    using subject = make();
    const journal = await subject.journals.create("a", HEADER);
    journal.append(dirty(0, 1));
    await journal.flush();
    journal.append(dirty(1, 2));
    journal.readdress(7n, 8n);
    journal.append(dirty(5, 6));
    await journal.flush();
    const [left] = await subject.journals.left();
    assertEquals(left?.header, { ...HEADER, device: 7n, inode: 8n });
    assertEquals(left?.records, [dirty(5, 6)]);
    await journal.close();
  });

  Deno.test(`Journal.rewrite() takes the place of all before it, and of nothing after: ${name}`, async () => {
    using subject = make();
    const journal = await subject.journals.create("a", HEADER);
    journal.append(dirty(0, 1));
    await journal.flush();
    journal.append(dirty(1, 2));
    journal.rewrite([dirty(0, 2)]);
    journal.append(dirty(5, 6));
    await journal.flush();
    journal.append(dirty(7, 8));
    await journal.flush();
    assertEquals((await subject.journals.left())[0]?.records, [
      dirty(0, 2),
      dirty(5, 6),
      dirty(7, 8),
    ]);
    await journal.close();
  });

  Deno.test(`Journal.flush() keeps what concurrent callers added, in order: ${name}`, async () => {
    using subject = make();
    const journal = await subject.journals.create("a", HEADER);
    const records = Array.from({ length: 50 }, (_, at) => dirty(at, at + 1));
    await Promise.all(records.map((record) => {
      journal.append(record);
      return journal.flush();
    }));
    assertEquals((await subject.journals.left())[0]?.records, records);
    await journal.close();
  });

  Deno.test(`Journals.remove() removes one, also twice: ${name}`, async () => {
    using subject = make();
    await subject.journals.create("a", HEADER).then((journal) => journal.close());
    await subject.journals.create("b", HEADER).then((journal) => journal.close());
    await subject.journals.remove("a");
    await subject.journals.remove("a");
    assertEquals((await subject.journals.left()).map(({ id }) => id), ["b"]);
  });
}

Deno.test("JournalFiles.left() cuts a torn journal at its last whole record, wherever it tore", async () => {
  using subject = (subjects["a file"] as () => Subject)();
  const { folder } = subject.journals as JournalFiles;
  const journal = await subject.journals.create("a", HEADER);
  const headerBytes = Deno.statSync(`${folder}/a.journal`).size;
  const records = [dirty(0, 1), dirty(2, 3), dirty(4, 5)];
  journal.append(...records);
  await journal.flush();
  await journal.close();
  const whole = await Deno.readFile(`${folder}/a.journal`);
  const frame = (whole.byteLength - headerBytes) / records.length;
  for (let length = 0; length <= whole.byteLength; length++) {
    await Deno.writeFile(`${folder}/a.journal`, whole.subarray(0, length));
    const [left] = await subject.journals.left();
    const hasHeader = length >= headerBytes;
    const stored = hasHeader ? Math.floor((length - headerBytes) / frame) : 0;
    assertEquals(left?.header, hasHeader ? HEADER : undefined);
    assertEquals(left?.records, records.slice(0, stored), `cut at ${length}`);
    assertEquals(left?.cutBytes, hasHeader ? length - headerBytes - stored * frame : length);
  }
});

Deno.test("JournalFiles.left() believes no record behind a damaged byte", async () => {
  using subject = (subjects["a file"] as () => Subject)();
  const { folder } = subject.journals as JournalFiles;
  const journal = await subject.journals.create("a", HEADER);
  const headerBytes = Deno.statSync(`${folder}/a.journal`).size;
  journal.append(dirty(0, 1), dirty(2, 3), dirty(4, 5));
  await journal.flush();
  await journal.close();
  const whole = await Deno.readFile(`${folder}/a.journal`);
  const frame = (whole.byteLength - headerBytes) / 3;
  for (let at = headerBytes + frame; at < headerBytes + 2 * frame; at++) {
    const damaged = whole.slice();
    damaged[at] = (damaged[at] ?? 0) ^ 0x40;
    await Deno.writeFile(`${folder}/a.journal`, damaged);
    const [left] = await subject.journals.left();
    assertEquals(left?.records, [dirty(0, 1)], `byte ${at}`);
    assertEquals(left?.cutBytes, 2 * frame);
  }
});

Deno.test("JournalFiles goes on with the failed records first when storage takes them again", async () => {
  using subject = (subjects["a file"] as () => Subject)();
  const { folder } = subject.journals as JournalFiles;
  const journal = await subject.journals.create("a", HEADER);
  // A folder in the place of the draft makes a rewrite fail.
  await Deno.mkdir(`${folder}/a.journal.draft`);
  journal.rewrite([dirty(0, 1)]);
  journal.append(dirty(2, 3));
  await assertRejects(() => journal.flush(), SystemError);
  journal.append(dirty(4, 5));
  await assertRejects(() => journal.flush(), SystemError);
  await Deno.remove(`${folder}/a.journal.draft`);
  await journal.flush();
  assertEquals((await subject.journals.left())[0]?.records, [
    dirty(0, 1),
    dirty(2, 3),
    dirty(4, 5),
  ]);
  await journal.close();
});
