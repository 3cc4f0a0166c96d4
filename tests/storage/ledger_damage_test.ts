import { assert, assertEquals, assertThrows } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import type { LedgerEntry } from "../../src/core/ports/ledger.ts";
import { StateFolderError } from "../../src/core/state_folder_error.ts";
import { SqliteLedger } from "../../src/storage/sqlite_ledger.ts";

const HEAD_BYTES = 4096;
const ROWS = 12;

const entries: readonly LedgerEntry[] = Array.from({ length: ROWS }, (_, n) => ({
  kind: "scope",
  id: `vm-${n}`,
  body: { generation: n, text: "a".repeat(100) },
}));

/** The files of a ledger that was killed: most of its rows are in the write-ahead log alone. */
async function killedLedger(): Promise<ReadonlyMap<string, Uint8Array<ArrayBuffer>>> {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/ledger.sqlite`;
  const first = new SqliteLedger(path);
  await first.commit(entries.slice(0, 2));
  await first.close();
  const second = new SqliteLedger(path);
  for (const entry of entries.slice(2)) await second.commit([entry]);
  const names = ["ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite.commits"];
  const files = new Map(names.map((name) => [name, Deno.readFileSync(`${folder}/${name}`)]));
  await second.close();
  await Deno.remove(folder, { recursive: true });
  return files;
}

/** The files of a ledger that was closed. */
async function closedLedger(): Promise<ReadonlyMap<string, Uint8Array<ArrayBuffer>>> {
  const folder = await Deno.makeTempDir();
  const ledger = new SqliteLedger(`${folder}/ledger.sqlite`);
  await ledger.commit(entries);
  await ledger.close();
  const names = ["ledger.sqlite", "ledger.sqlite.commits"];
  const files = new Map(names.map((name) => [name, Deno.readFileSync(`${folder}/${name}`)]));
  await Deno.remove(folder, { recursive: true });
  return files;
}

/** What a start makes of these files: the rows that it finds, or its refusal. */
async function start(
  files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>,
  acceptsLoss = false,
): Promise<number | StateFolderError> {
  const folder = await Deno.makeTempDir();
  for (const [name, bytes] of files) await Deno.writeFile(`${folder}/${name}`, bytes);
  try {
    const ledger = new SqliteLedger(`${folder}/ledger.sqlite`, acceptsLoss);
    try {
      return (await ledger.load("scope")).filter(({ body }) =>
        (body as { text: string }).text === "a".repeat(100)
      ).length;
    } finally {
      await ledger.close();
    }
  } catch (error) {
    if (error instanceof StateFolderError) return error;
    throw error;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

for (
  const [name, make] of [
    ["ledger.sqlite", closedLedger],
    ["ledger.sqlite-wal", killedLedger],
  ] as const
) {
  Deno.test(`SqliteLedger: no flipped or cut byte of ${name} loses a row in silence`, async () => {
    const files = await make();
    assertEquals(await start(files), ROWS);
    const good = files.get(name) as Uint8Array<ArrayBuffer>;
    let refused = 0;
    for (let at = 0; at < Math.min(good.length, HEAD_BYTES); at += 7) {
      const flipped = good.slice();
      flipped[at] = (flipped[at] ?? 0) ^ (1 << at % 8);
      const found = await start(new Map([...files, [name, flipped]]));
      assert(found instanceof StateFolderError || found === ROWS, `byte ${at}: ${found} rows`);
      if (found instanceof StateFolderError) refused++;
    }
    assert(refused > 20, `only ${refused} were noticed`);
    for (let at = 1; at < Math.min(good.length, HEAD_BYTES); at += 101) {
      const found = await start(new Map([...files, [name, good.slice(0, at)]]));
      assert(found instanceof StateFolderError || found === ROWS, `cut at ${at}: ${found} rows`);
    }
  });
}

Deno.test("SqliteLedger: a lost write-ahead log is noticed, and accepted only when that is said", async () => {
  const files = new Map(await killedLedger());
  files.delete("ledger.sqlite-wal");
  const refusal = await start(files);
  assert(refusal instanceof StateFolderError && refusal.isDamage);
  assert(refusal.message.includes("--accept-loss"), refusal.message);
  assertEquals(await start(files, true), 2);
});

Deno.test("SqliteLedger: a damaged row is refused, or left out where that is accepted", async () => {
  const path = `${await Deno.makeTempDir()}/ledger.sqlite`;
  const first = new SqliteLedger(path);
  await first.commit(entries);
  await first.close();
  const database = new DatabaseSync(path);
  database.exec("UPDATE entry SET body = replace(body, '\"generation\":3', '\"generation\":4')");
  database.close();
  const second = new SqliteLedger(path);
  const error = await second.load("scope").then(() => undefined, (error: unknown) => error);
  await second.close();
  assert(error instanceof StateFolderError && error.isDamage);
  assert(error.message.includes('scope "vm-3"'), error.message);
  const third = new SqliteLedger(path, true);
  assertEquals((await third.load("scope")).length, ROWS - 1);
  assertEquals(third.losses.length, 1);
  await third.close();
});

Deno.test("SqliteLedger: rows of the version before have no checksum and are read", async () => {
  const path = `${await Deno.makeTempDir()}/ledger.sqlite`;
  const older = new DatabaseSync(path);
  older.exec(
    `CREATE TABLE entry(kind TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL,
       PRIMARY KEY (kind, id)) WITHOUT ROWID;
     INSERT INTO entry VALUES ('scope', 'a', '{"generation":7}');
     PRAGMA user_version = 1`,
  );
  older.close();
  const ledger = new SqliteLedger(path);
  assertEquals(await ledger.load("scope"), [{ id: "a", body: { generation: 7 } }]);
  await ledger.commit([{ kind: "scope", id: "b", body: {} }]);
  await ledger.close();
  const again = new SqliteLedger(path);
  assertEquals((await again.load("scope")).length, 2);
  assertThrows(() => new SqliteLedger(path), StateFolderError, "another Innkeeper");
  await again.close();
});
