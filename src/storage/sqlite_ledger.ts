import { DatabaseSync, type StatementSync } from "node:sqlite";
import { setImmediate } from "node:timers";
import { crc32c } from "./crc32c.ts";
import { StateFolderError } from "../core/state_folder_error.ts";
import { copyAside } from "../native/files.ts";
import { walDamage } from "./wal_check.ts";
import type { Ledger, LedgerEntry, LedgerKind, LedgerRow } from "../core/ports/ledger.ts";

/** 1 had no checksums. */
const STATE_VERSION = 2;

const ACCEPT = "restore it from a backup, or give --accept-loss to go on with what can be read";

interface Row {
  readonly kind: LedgerKind;
  readonly id: string;
  /** The body as JSON; `undefined` removes the row. */
  readonly text: string | undefined;
}

interface StoredRow {
  readonly id: string;
  readonly body: string;
  /** Of a row of an older version there is none. */
  readonly sum: number | null;
}

interface Waiting {
  readonly rows: readonly Row[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The ledger in one SQLite file: write-ahead log, every commit flushed to storage. The flush is the
 * cost of a commit, so commits of the same turn of the event loop share one.
 */
export class SqliteLedger implements Ledger {
  readonly #database: DatabaseSync;
  readonly #put: StatementSync;
  readonly #remove: StatementSync;
  readonly #count: StatementSync;
  readonly #load: StatementSync;
  readonly #path: string;
  readonly #acceptsLoss: boolean;
  /** What was damaged and went on without; for the log and an event. */
  readonly losses: string[] = [];
  /** Commits of all time. Their number is in the ledger, and beside it in a file of its own. */
  #commits = 0;
  readonly #mark: Deno.FsFile;
  #waiting: Waiting[] = [];

  /**
   * Opens or makes the ledger and locks it for this process alone. The lock ends with the process,
   * however that ends.
   *
   * @param acceptsLoss Goes on without what is damaged, which is kept under another name
   * @throws {StateFolderError} when another process has it, a newer Innkeeper wrote it, or it is
   * damaged
   */
  constructor(path: string, acceptsLoss = false) {
    this.#path = path;
    this.#acceptsLoss = acceptsLoss;
    this.#checkLog();
    this.#database = new DatabaseSync(path, { timeout: 0 });
    try {
      this.#database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL");
      this.#database.exec("PRAGMA synchronous = FULL; BEGIN IMMEDIATE");
      this.#requireVersion(path);
      this.#requireSound();
      this.#database.exec(
        `CREATE TABLE IF NOT EXISTS entry(
           kind TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL,
           sum INTEGER, PRIMARY KEY (kind, id)) WITHOUT ROWID`,
      );
      this.#addChecksums();
      this.#requireLatest(`${path}.commits`);
      this.#database.exec(
        `PRAGMA user_version = ${STATE_VERSION};
         COMMIT`,
      );
    } catch (error) {
      this.#database.close();
      if (error instanceof StateFolderError) throw error;
      if (/locked|busy/i.test(String(error))) {
        throw new StateFolderError(`Cannot use ${path}: another Innkeeper has it open`);
      }
      throw new StateFolderError(
        `Cannot use ${path}: ${(error as Error).message}; ${ACCEPT}`,
        true,
      );
    }
    this.#put = this.#database.prepare(
      "INSERT INTO entry(kind, id, body, sum) VALUES (?, ?, ?, ?) " +
        "ON CONFLICT DO UPDATE SET body = excluded.body, sum = excluded.sum",
    );
    this.#count = this.#database.prepare("UPDATE meta SET value = ? WHERE name = 'commits'");
    this.#mark = Deno.openSync(`${path}.commits`, { write: true, create: true, mode: 0o600 });
    this.#remove = this.#database.prepare("DELETE FROM entry WHERE kind = ? AND id = ?");
    this.#load = this.#database.prepare(
      "SELECT id, body, sum FROM entry WHERE kind = ? ORDER BY id",
    );
  }

  // deno-lint-ignore require-await -- a damaged row must reject
  async load(kind: LedgerKind): Promise<readonly LedgerRow[]> {
    const rows = this.#load.all(kind) as unknown as StoredRow[];
    return rows.flatMap((row) => this.#read(kind, row));
  }

  commit(entries: readonly LedgerEntry[]): Promise<void> {
    return new Promise((resolve, reject) => {
      // Serialised here, so that a body without a JSON form fails only its own commit.
      const rows = entries.map(({ kind, id, body }) => ({
        kind,
        id,
        text: body === undefined ? undefined : JSON.stringify(body),
      }));
      this.#waiting.push({ rows, resolve, reject });
      if (this.#waiting.length === 1) setImmediate(() => this.#flush());
    });
  }

  async close(): Promise<void> {
    if (this.#waiting.length > 0) await this.commit([]);
    this.#database.close();
    this.#mark.close();
  }

  /** Looks at the write-ahead log before SQLite does, which takes a damaged one for an empty one. */
  #checkLog(): void {
    const log = `${this.#path}-wal`;
    const bytes = bytesOf(log);
    const damage = bytes && walDamage(bytes);
    if (damage === undefined) return;
    if (!damage.isTail && !this.#acceptsLoss) {
      throw new StateFolderError(
        `Cannot use ${log}: ${damage.what}, and with it what was committed last; ${ACCEPT}`,
        true,
      );
    }
    const aside = bytes === undefined ? "" : `; it is kept as ${copyAside(log)}`;
    this.losses.push(`${log}: ${damage.what}${aside}`);
  }

  /** Rows of an older version have no checksum, and get one when they are written next. */
  #addChecksums(): void {
    const columns = this.#database.prepare("PRAGMA table_info(entry)").all() as { name: string }[];
    if (columns.some(({ name }) => name === "sum")) return;
    this.#database.exec("ALTER TABLE entry ADD COLUMN sum INTEGER");
  }

  /** The row, or nothing of it where its loss is accepted. */
  #read(kind: LedgerKind, { id, body, sum }: StoredRow): LedgerRow[] {
    try {
      if (sum !== null && sum !== sumOf(kind, id, body)) throw new Error("its checksum differs");
      return [{ id, body: JSON.parse(body) as unknown }];
    } catch (error) {
      const what = `${this.#path}: the row ${kind} "${id}" is damaged: ${(error as Error).message}`;
      if (!this.#acceptsLoss) throw new StateFolderError(`Cannot use ${what}; ${ACCEPT}`, true);
      this.losses.push(what);
      return [];
    }
  }

  #flush(): void {
    const group = this.#waiting;
    this.#waiting = [];
    try {
      this.#database.exec("BEGIN IMMEDIATE");
      for (const { kind, id, text } of group.flatMap(({ rows }) => rows)) {
        if (text === undefined) this.#remove.run(kind, id);
        else this.#put.run(kind, id, text, sumOf(kind, id, text));
      }
      this.#count.run(++this.#commits);
      this.#database.exec("COMMIT");
      this.#mark.seekSync(0, Deno.SeekMode.Start);
      this.#mark.writeSync(new TextEncoder().encode(String(this.#commits)));
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      for (const { reject } of group) reject(error);
      return;
    }
    for (const { resolve } of group) resolve();
  }

  /**
   * The number of commits beside the ledger is written after each of them. Where it is the higher
   * one, commits are gone: with the end of a log, or because an older ledger was put in the place.
   */
  #requireLatest(path: string): void {
    this.#database.exec(
      `CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
       INSERT INTO meta VALUES ('commits', 0) ON CONFLICT DO NOTHING`,
    );
    const row = this.#database.prepare("SELECT value FROM meta WHERE name = 'commits'").get();
    const there = (row as { value: number }).value;
    const made = Number(new TextDecoder().decode(bytesOf(path)));
    this.#commits = Math.max(there, Number.isSafeInteger(made) ? made : 0);
    if (this.#commits === there) return;
    const what = `${this.#path}: its last ${this.#commits - there} commits are gone`;
    if (!this.#acceptsLoss) throw new StateFolderError(`Cannot use ${what}; ${ACCEPT}`, true);
    this.losses.push(what);
  }

  /** A damaged page can hide rows, of which no checksum tells. */
  #requireSound(): void {
    const [row] = this.#database.prepare("PRAGMA quick_check(1)").all() as unknown as {
      quick_check: string;
    }[];
    if (row?.quick_check === "ok") return;
    throw new Error(`it is damaged: ${row?.quick_check.slice(0, 200)}`);
  }

  #requireVersion(path: string): void {
    const row = this.#database.prepare("PRAGMA user_version").get() as { user_version: number };
    if (row.user_version > STATE_VERSION) {
      throw new StateFolderError(
        `Cannot use ${path}: it is of state version ${row.user_version}, this Innkeeper knows ` +
          `${STATE_VERSION}; start a newer one`,
      );
    }
  }
}

/** Tells a row that was changed from outside: also one that became another row's. */
function sumOf(kind: string, id: string, body: string): number {
  return crc32c(new TextEncoder().encode(`${kind}\0${id}\0${body}`));
}

function bytesOf(path: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new StateFolderError(`Cannot read ${path}: ${(error as Error).message}`);
  }
}
