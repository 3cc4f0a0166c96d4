/** What the ledger keeps: one kind of entry per thing that survives a restart. */
export type LedgerKind =
  | "scope"
  | "watcher"
  | "device"
  | "mapping"
  | "host-device"
  | "guest"
  | "host-source"
  | "counter";

/** One entry. A body is JSON; 64-bit numbers in it are decimal strings. */
export interface LedgerEntry {
  readonly kind: LedgerKind;
  readonly id: string;
  /** The new content; `undefined` removes the entry. */
  readonly body: unknown;
}

/** An entry as it was kept. */
export interface LedgerRow {
  readonly id: string;
  readonly body: unknown;
}

/**
 * What was promised, kept through the death of the process and of the power.
 *
 * All entries of one `commit` are kept or none is. When the promise of `commit` resolves they are
 * on stable storage; when it rejects nothing of it is kept.
 */
export interface Ledger {
  /** All entries of a kind, in ascending order of their ids. */
  load(kind: LedgerKind): Promise<readonly LedgerRow[]>;
  /** Puts and removes entries, all or nothing, in the order given. */
  commit(entries: readonly LedgerEntry[]): Promise<void>;
  /** Waits for running commits and lets go of the storage. */
  close(): Promise<void>;
}
