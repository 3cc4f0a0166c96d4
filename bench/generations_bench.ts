/**
 * Generations beside the floor of what they do: confirming beside a bare map of flags, a durable
 * bump beside a bare SQLite commit of the same record.
 */
import { DatabaseSync } from "node:sqlite";
import { systemClock, systemRandom } from "../src/cli/system.ts";
import { EventLog } from "../src/core/event_log.ts";
import type { LiveScope } from "../src/generations/live_scope.ts";
import { DEFAULT_OPTIONS } from "../src/generations/scope_options.ts";
import { Scopes } from "../src/generations/scopes.ts";
import { Libc } from "../src/native/libc.ts";
import { PageFiles } from "../src/storage/page_files.ts";
import { SqliteLedger } from "../src/storage/sqlite_ledger.ts";

const WATCHERS = 1_000;

async function scopeWith(watchers: number): Promise<{ scope: LiveScope; ids: string[] }> {
  const folder = await Deno.makeTempDir();
  const ledger = new SqliteLedger(`${folder}/ledger.sqlite`);
  const scopes = await Scopes.open({
    ledger,
    events: await EventLog.open({ ledger, clock: systemClock }),
    pages: new PageFiles(Libc.open(), `${folder}/pages`, "all"),
    clock: systemClock,
    random: systemRandom,
  });
  const { scope } = await scopes.put("bench", DEFAULT_OPTIONS);
  const watching = await Promise.all(
    Array.from(
      { length: watchers },
      (_, n) => scope.watchers.watch({ name: `w${n}`, track: true }),
    ),
  );
  return { scope, ids: watching.map(({ watcher }) => watcher.id) };
}

function bareCommit(path: string): () => void {
  const database = new DatabaseSync(path);
  database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL");
  database.exec("PRAGMA synchronous = FULL; CREATE TABLE entry(id TEXT PRIMARY KEY, body TEXT)");
  const put = database.prepare("INSERT OR REPLACE INTO entry VALUES ('bench', ?)");
  const body = JSON.stringify({ generation: 1, epoch: "1", unique: "0".repeat(32), reason: "x" });
  return () => put.run(body);
}

const bare = new Map(Array.from({ length: WATCHERS }, (_, n) => [`w${n}`, false]));
const confirming = await scopeWith(WATCHERS);
const bumping = await scopeWith(0);
const commit = bareCommit(`${await Deno.makeTempDir()}/bare.sqlite`);

Deno.bench("bare map of flags", { group: "1,000 watchers confirm", baseline: true }, () => {
  for (const id of bare.keys()) bare.set(id, false);
  for (const id of confirming.ids) bare.set(id, true);
});

Deno.bench("LiveScope.ack()", { group: "1,000 watchers confirm" }, async (b) => {
  const { bump } = await confirming.scope.bump({ reason: "bench", by: "bench" });
  b.start();
  for (const id of confirming.ids) confirming.scope.watchers.ack(id, bump.generation, bump.epoch);
  b.end();
});

Deno.bench("bare SQLite commit", { group: "durable bump", baseline: true }, () => commit());

Deno.bench("LiveScope.bump()", { group: "durable bump" }, async () => {
  await bumping.scope.bump({ reason: "bench", by: "bench" });
});
