import { HISTORY_BUMPS_MAX } from "../core/limits.ts";
import type { LedgerEntry, LedgerRow } from "../core/ports/ledger.ts";
import type { Bump } from "./bump.ts";
import { type BumpBody, bumpBody, bumpOf } from "./records.ts";

/** A bump of the past. */
export interface PastBump {
  readonly bump: Bump;
  /** Tracked watchers that it made outdated. */
  readonly outdated: number;
  /** Milliseconds until all had confirmed; `undefined` while they have not, or never did. */
  readonly tookMs: number | undefined;
}

interface PastBumpBody extends BumpBody {
  readonly scope: string;
  readonly outdated: number;
  readonly tookMs?: number | undefined;
}

/** The entry of a bump, in the place of one that is as much older as the history is long. */
export function pastBumpEntry(scope: string, { bump, ...rest }: PastBump): LedgerEntry {
  const body: PastBumpBody = { scope, ...bumpBody(bump), ...rest };
  return { kind: "bump", id: placeOf(scope, bump.epoch % BigInt(HISTORY_BUMPS_MAX)), body };
}

/** The entries that remove the history of a scope. */
export function historyGone(scope: string, bumps: readonly PastBump[]): LedgerEntry[] {
  return bumps.map((bump) => ({ ...pastBumpEntry(scope, bump), body: undefined }));
}

/** A bump of the past read back. */
export function pastBumpOf({ body }: LedgerRow): { scope: string; past: PastBump } {
  const { scope, outdated, tookMs, ...bump } = body as PastBumpBody;
  return { scope, past: { bump: bumpOf(bump), outdated, tookMs } };
}

function placeOf(scope: string, place: bigint): string {
  return `${scope}/${place}`;
}
