import { DatabaseSync, type StatementSync } from "node:sqlite";
import { setImmediate } from "node:timers";
import type { Ledger, LedgerEntry, LedgerKind, LedgerRow } from "../core/ports/ledger.ts";

const STATE_VERSION = 1;

/** This daemon cannot use the state folder. */
export class StateFolderError extends Error {
  override readonly name = "StateFolderError";
}

interface Row {
  readonly kind: LedgerKind;
  readonly id: string;
  /** The body as JSON; `undefined` removes the row. */
  readonly text: string | undefined;
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
  readonly #load: StatementSync;
  #waiting: Waiting[] = [];

  /**
   * Opens or makes the ledger and locks it for this process alone. The lock ends with the process,
   * however that ends.
   *
   * @throws {StateFolderError} when another process has it, or a newer Innkeeper wrote it
   */
  constructor(path: string) {
    this.#database = new DatabaseSync(path, { timeout: 0 });
    try {
      this.#database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL");
      this.#database.exec("PRAGMA synchronous = FULL; BEGIN IMMEDIATE");
      this.#requireVersion(path);
      this.#database.exec(
        `CREATE TABLE IF NOT EXISTS entry(
           kind TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL,
           PRIMARY KEY (kind, id)) WITHOUT ROWID;
         PRAGMA user_version = ${STATE_VERSION};
         COMMIT`,
      );
    } catch (error) {
      this.#database.close();
      if (error instanceof StateFolderError) throw error;
      if (/locked|busy/i.test(String(error))) {
        throw new StateFolderError(`Cannot use ${path}: another Innkeeper has it open`);
      }
      throw new StateFolderError(`Cannot use ${path}: ${(error as Error).message}`);
    }
    this.#put = this.#database.prepare(
      "INSERT INTO entry VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET body = excluded.body",
    );
    this.#remove = this.#database.prepare("DELETE FROM entry WHERE kind = ? AND id = ?");
    this.#load = this.#database.prepare("SELECT id, body FROM entry WHERE kind = ? ORDER BY id");
  }

  load(kind: LedgerKind): Promise<readonly LedgerRow[]> {
    const rows = this.#load.all(kind) as { id: string; body: string }[];
    return Promise.resolve(rows.map(({ id, body }) => ({ id, body: JSON.parse(body) as unknown })));
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
  }

  #flush(): void {
    const group = this.#waiting;
    this.#waiting = [];
    try {
      this.#database.exec("BEGIN IMMEDIATE");
      for (const { kind, id, text } of group.flatMap(({ rows }) => rows)) {
        if (text === undefined) this.#remove.run(kind, id);
        else this.#put.run(kind, id, text);
      }
      this.#database.exec("COMMIT");
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      for (const { reject } of group) reject(error);
      return;
    }
    for (const { resolve } of group) resolve();
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
