import type { LedgerEntry } from "../core/ports/ledger.ts";

/** A restore that was checked: what the ledger must keep, and what is done once it has. */
export interface Restore {
  readonly entries: readonly LedgerEntry[];
  /** Puts the new state in place. It cannot fail and does not wait. */
  apply(): void;
}
