import type { Ledger, LedgerEntry, LedgerKind, LedgerRow } from "../../src/core/ports/ledger.ts";

/** What a process throws that is killed at a crash point. */
export const KILLED = new Error("killed here");

/** Kills the process that uses it at its n-th step from now: around a commit, or at a store. */
export class CrashPoint {
  left = Infinity;

  step(): void {
    if (this.left-- <= 0) throw KILLED;
  }
}

/** A ledger whose user can be killed before and after each commit. */
export class CrashingLedger implements Ledger {
  constructor(readonly inner: Ledger, readonly point: CrashPoint) {}

  load(kind: LedgerKind): Promise<readonly LedgerRow[]> {
    return this.inner.load(kind);
  }

  async commit(entries: readonly LedgerEntry[]): Promise<void> {
    this.point.step();
    await this.inner.commit(entries);
    this.point.step();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
