/**
 * Scopes and watchers as the ledger keeps them. Times and epochs are decimal strings, since JSON
 * has no 64-bit numbers.
 *
 * @module
 */
import type { LedgerEntry, LedgerRow } from "../core/ports/ledger.ts";
import { type Bump, Scope } from "./scope.ts";
import type { ScopeOptions } from "./scope_options.ts";
import type { Watcher } from "./watcher.ts";

interface ScopeBody {
  readonly options: ScopeOptions;
  readonly generation: number;
  readonly previousGeneration?: number;
  readonly epoch: string;
  readonly unique: string;
  readonly reason: string;
  readonly by: string;
  readonly atNs: string;
  readonly deleted?: true;
}

interface WatcherBody {
  readonly scope: string;
  readonly id: string;
  readonly name: string;
  readonly leaseMs: number;
  readonly ackedEpoch: string;
  readonly ackedGeneration?: number;
  readonly ackedAtNs?: string;
  readonly tokenHash?: string;
}

/** A scope after `bump`, or a deleted one, whose counter must still never repeat. */
export function scopeEntry(
  name: string,
  options: ScopeOptions,
  bump: Bump,
  previousGeneration: number | undefined,
  deleted = false,
): LedgerEntry {
  const body: ScopeBody = {
    options,
    generation: bump.generation,
    ...(previousGeneration === undefined ? {} : { previousGeneration }),
    epoch: String(bump.epoch),
    unique: bump.unique,
    reason: bump.reason,
    by: bump.by,
    atNs: String(bump.atNs),
    ...(deleted ? { deleted } : {}),
  };
  return { kind: "scope", id: name, body };
}

/** A scope read back, and whether it is a tombstone. */
export function scopeOf({ id, body }: LedgerRow): { scope: Scope; deleted: boolean } {
  const kept = body as ScopeBody;
  const bump = { ...kept, epoch: BigInt(kept.epoch), atNs: BigInt(kept.atNs) };
  const { generation, epoch, unique, reason, by, atNs } = bump;
  return {
    scope: new Scope(
      id,
      kept.options,
      { generation, epoch, unique, reason, by, atNs },
      kept.previousGeneration,
    ),
    deleted: kept.deleted ?? false,
  };
}

function watcherEntryId(scope: string, watcher: string): string {
  return `${scope}/${watcher}`;
}

/** A tracked watcher as it is now. */
export function watcherEntry(scope: string, watcher: Watcher): LedgerEntry {
  const { id, name, leaseMs, ackedEpoch, ackedGeneration, ackedAtNs, tokenHash } = watcher;
  const body: WatcherBody = {
    scope,
    id,
    name,
    leaseMs,
    ackedEpoch: String(ackedEpoch),
    ...(ackedGeneration === undefined ? {} : { ackedGeneration }),
    ...(ackedAtNs === undefined ? {} : { ackedAtNs: String(ackedAtNs) }),
    ...(tokenHash === undefined ? {} : { tokenHash }),
  };
  return { kind: "watcher", id: watcherEntryId(scope, id), body };
}

/** The removal of a watcher. */
export function watcherGone(scope: string, watcher: string): LedgerEntry {
  return { kind: "watcher", id: watcherEntryId(scope, watcher), body: undefined };
}

/**
 * A watcher read back: held, since its connection is gone with the old process.
 *
 * @param nowNs From when on it is held, nanoseconds since 1970
 */
export function watcherOf({ body }: LedgerRow, nowNs: bigint): { scope: string; watcher: Watcher } {
  const { scope, ackedEpoch, ackedAtNs, ...kept } = body as WatcherBody;
  return {
    scope,
    watcher: {
      id: kept.id,
      name: kept.name,
      tracked: true,
      presence: "held",
      presenceSinceNs: nowNs,
      leaseMs: kept.leaseMs,
      ackedEpoch: BigInt(ackedEpoch),
      ackedGeneration: kept.ackedGeneration,
      ackedAtNs: ackedAtNs === undefined ? undefined : BigInt(ackedAtNs),
      outdatedSinceNs: undefined,
      told: undefined,
      failure: undefined,
      tokenHash: kept.tokenHash,
    },
  };
}
