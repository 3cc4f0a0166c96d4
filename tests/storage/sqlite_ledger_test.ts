import { assert, assertEquals, assertThrows } from "@std/assert";
import { DatabaseSync } from "node:sqlite";
import { StateFolderError } from "../../src/core/state_folder_error.ts";
import { SqliteLedger } from "../../src/storage/sqlite_ledger.ts";
import { ledgerContract } from "../contract/ledger.ts";
import { MemoryLedger } from "../support/ledger.ts";

ledgerContract("MemoryLedger", () => new MemoryLedger());
ledgerContract("SqliteLedger", () => new SqliteLedger(`${Deno.makeTempDirSync()}/ledger.sqlite`));

Deno.test("SqliteLedger gives back after a restart what was committed before", async () => {
  const path = `${await Deno.makeTempDir()}/ledger.sqlite`;
  const first = new SqliteLedger(path);
  await first.commit([{ kind: "scope", id: "a", body: { epoch: "18446744073709551615" } }]);
  await first.close();
  const second = new SqliteLedger(path);
  assertEquals(await second.load("scope"), [
    { id: "a", body: { epoch: "18446744073709551615" } },
  ]);
  await second.close();
});

Deno.test("SqliteLedger refuses a file that another one has open", async () => {
  const path = `${await Deno.makeTempDir()}/ledger.sqlite`;
  const first = new SqliteLedger(path);
  const error = assertThrows(() => new SqliteLedger(path), StateFolderError);
  assert(error.message.includes("another Innkeeper"), error.message);
  await first.close();
  await new SqliteLedger(path).close();
});

Deno.test("SqliteLedger refuses a file of a newer version and leaves it as it is", async () => {
  const path = `${await Deno.makeTempDir()}/ledger.sqlite`;
  const newer = new DatabaseSync(path);
  newer.exec("PRAGMA user_version = 99");
  newer.close();
  const error = assertThrows(() => new SqliteLedger(path), StateFolderError);
  assert(error.message.includes("version 99"), error.message);
});

Deno.test("SqliteLedger refuses a file that is no database", async () => {
  const path = `${await Deno.makeTempDir()}/ledger.sqlite`;
  await Deno.writeTextFile(
    path,
    "not a database, though long enough to be taken for one".repeat(99),
  );
  assertThrows(() => new SqliteLedger(path), StateFolderError);
});

Deno.test("SqliteLedger keeps every commit that was acknowledged before a kill -9", async () => {
  const path = `${await Deno.makeTempDir()}/ledger.sqlite`;
  const writer = new URL("../support/ledger_writer.ts", import.meta.url).pathname;
  for (let round = 0; round < 3; round++) {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", writer, path],
      stdout: "piped",
    }).spawn();
    let acknowledged = 0;
    const lines = child.stdout.pipeThrough(new TextDecoderStream());
    for await (const text of lines) {
      acknowledged = Math.max(acknowledged, ...text.trim().split("\n").map(Number));
      if (acknowledged > 50 + round * 20) break;
    }
    child.kill("SIGKILL");
    await child.status;
    const ledger = new SqliteLedger(path);
    const stored = (await ledger.load("device")).map(({ id }) => Number(id));
    await ledger.close();
    assert(acknowledged > 50, "the writer acknowledged too little to mean anything");
    for (let n = 1; n <= acknowledged; n++) assert(stored.includes(n), `commit ${n} is lost`);
  }
});
