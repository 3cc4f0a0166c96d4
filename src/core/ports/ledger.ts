/** The kinds of things that survive a restart; each has entries of its own. */
export type LedgerKind =
  | "scope"
  | "watcher"
  | "device"
  | "mapping"
  | "host-device"
  | "guest"
  | "snapshot-owner"
  | "host-source"
  | "counter"
  | "bump"
  | "event"
  | "replay"
  | "listener";

/** One entry. A body is JSON; 64-bit numbers in it are decimal strings. */
export interface LedgerEntry {
  readonly kind: LedgerKind;
  readonly id: string;
  /** The new content; `undefined` removes the entry. */
  readonly body: unknown;
}

/** A stored entry. */
export interface LedgerRow {
  readonly id: string;
  readonly body: unknown;
}

/**
 * State that survives a crash of the process and a loss of power.
 *
 * The entries of one `commit` are stored all or not at all. When its promise resolves they are on
 * stable storage; when it rejects none of them is stored.
 */
export interface Ledger {
  /** All entries of a kind, in ascending order of their ids. */
  load(kind: LedgerKind): Promise<readonly LedgerRow[]>;
  /** Puts and removes entries, all or nothing, in the order given. */
  commit(entries: readonly LedgerEntry[]): Promise<void>;
  /** Waits for running commits and closes the storage. */
  close(): Promise<void>;
}
