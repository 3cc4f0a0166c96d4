import type { LedgerEntry } from "../core/ports/ledger.ts";
import type { GuestDeath, GuestKind } from "./guest/state.ts";

/**
 * A guest in the ledger, so that one that lived when the daemon ended is shown as lost afterwards.
 * The token of its owner is not stored, because nothing is left to own then.
 */
export interface GuestRecord {
  /** `bare` when there is none, as in rows of earlier versions. */
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

/** The death of a guest that lived when an earlier process ended. */
export const HOST_RESTART: GuestDeath = { reason: "host_restart", errno: "ENOENT" };

/** The row of a guest. */
export function guestEntry(id: string, record: GuestRecord): LedgerEntry {
  return { kind: "guest", id, body: record };
}

/** Removes the row of a guest. */
export function guestGone(id: string): LedgerEntry {
  return { kind: "guest", id, body: undefined };
}
