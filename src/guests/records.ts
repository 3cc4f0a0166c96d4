import type { LedgerEntry } from "../core/ports/ledger.ts";
import type { GuestDeath, GuestKind } from "./guest/state.ts";

/**
 * What the ledger keeps of a guest, so that one that was there when the daemon ended is reported
 * as lost. Its owner's token is not kept: nothing is left to own.
 */
export interface GuestRecord {
  /** Bare when it does not say. */
  readonly kind?: GuestKind;
  readonly scope: string;
  readonly generation: number;
  readonly engine: string;
  readonly memoryBytes: number;
  /** Nanoseconds since 1970, decimal. */
  readonly createdNs: string;
  readonly leaseMs?: number | undefined;
  readonly death?: GuestDeath | undefined;
}

/** Why guests are dead that were alive when an earlier process ended. */
export const HOST_RESTART: GuestDeath = { reason: "host_restart", errno: "ENOENT" };

/** The entry that keeps a guest. */
export function guestEntry(id: string, record: GuestRecord): LedgerEntry {
  return { kind: "guest", id, body: record };
}

/** The entry that forgets it. */
export function guestGone(id: string): LedgerEntry {
  return { kind: "guest", id, body: undefined };
}
