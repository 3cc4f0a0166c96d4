/**
 * Scopes and watchers as the ledger holds them. Times and epochs are decimal strings, since JSON
 * has no 64-bit numbers. Members that are `undefined` are not written.
 *
 * @module
 */
import type { LedgerEntry, LedgerRow } from "../core/ports/ledger.ts";
import type { Bump } from "./bump.ts";
import type { Departure } from "./confirmations.ts";
import { BARRIER_NAMES_MAX } from "../core/limits.ts";
import { Scope, type ScopeState } from "./scope.ts";
import { DEFAULT_OPTIONS, type ScopeOptions } from "./scope_options.ts";
import type { Failure, Watcher } from "./watcher.ts";

export type BumpBody = Omit<Bump, "epoch" | "atNs"> & {
  readonly epoch: string;
  readonly atNs: string;
};

interface ScopeBody extends BumpBody {
  readonly options: ScopeOptions;
  readonly previousGeneration: number | undefined;
  readonly deleted?: true | undefined;
  readonly broken?: readonly string[] | undefined;
  readonly forgotten?: readonly Departure[] | undefined;
  readonly departed?: readonly Departure[] | undefined;
  readonly gone?: readonly WatcherBody[] | undefined;
}

interface WatcherBody extends
  Pick<
    Watcher,
    | ("id" | "name" | "leaseMs" | "ackedGeneration" | "owner" | "tokenHash")
    | ("previousTokenHash" | "showsToken" | "isTokenSpent" | "peer" | "supersededBy" | "process")
  > {
  readonly scope: string;
  readonly ackedEpoch: string;
  readonly ackedAtNs: string | undefined;
  readonly failure?:
    & { readonly epoch: string; readonly atNs: string }
    & Omit<
      Failure,
      "epoch" | "atNs"
    >;
}

type SavedScope =
  & Pick<ScopeState, "name" | "options" | "current" | "previousGeneration">
  & Pick<ScopeState["past"], "gone" | "broken" | "forgotten" | "departed">;

/** A bump as JSON. */
export function bumpBody({ epoch, atNs, ...bump }: Bump): BumpBody {
  return { ...bump, epoch: String(epoch), atNs: String(atNs) };
}

/** A bump read back. */
export function bumpOf({ epoch, atNs, ...bump }: BumpBody): Bump {
  return { ...bump, epoch: BigInt(epoch), atNs: BigInt(atNs) };
}

/**
 * The entry of a scope.
 *
 * @param change What is not in the scope yet. A deleted scope stays as a tombstone, since its
 * counter must never repeat
 */
export function scopeEntry(
  { name, options, current, previousGeneration, past }: ScopeState,
  change: Partial<SavedScope> & { readonly deleted?: true } = {},
): LedgerEntry {
  const { gone, broken, forgotten, departed } = past;
  const known = { options, current, previousGeneration, gone, broken, forgotten, departed };
  const saved = { ...known, ...change };
  const body: ScopeBody = {
    options: saved.options,
    previousGeneration: saved.previousGeneration,
    ...bumpBody(saved.current),
    deleted: saved.deleted,
    broken: saved.broken.size === 0 ? undefined : [...saved.broken],
    forgotten: saved.forgotten.length === 0 ? undefined : saved.forgotten,
    departed: saved.departed.length === 0 ? undefined : saved.departed,
    // Those past the bound count as if they had not confirmed, after a restart.
    gone: saved.gone.length === 0
      ? undefined
      : saved.gone.slice(0, BARRIER_NAMES_MAX).map((watcher) => watcherBody(name, watcher)),
  };
  return { kind: "scope", id: name, body };
}

/** The entry that forgets a scope. */
export function scopeGone(name: string): LedgerEntry {
  return { kind: "scope", id: name, body: undefined };
}

/** A scope read back, and whether it is a tombstone. */
export function scopeOf({ id, body }: LedgerRow): { scope: Scope; deleted: boolean } {
  const { options, previousGeneration, deleted = false, ...rest } = body as ScopeBody;
  const { broken, forgotten, departed, gone = [], ...bump } = rest;
  const past = { broken, forgotten, departed, gone: gone.map((one) => watcherOfBody(one, 0n)) };
  const current = bumpOf(bump);
  // Rows of earlier versions lack the options that came since.
  const all = { ...DEFAULT_OPTIONS, ...options };
  return { scope: new Scope(id, all, current, previousGeneration, past), deleted };
}

function watcherEntryId(scope: string, watcher: string): string {
  return `${scope}/${watcher}`;
}

/** The entry of a tracked watcher as it is now. */
export function watcherEntry(scope: string, watcher: Watcher): LedgerEntry {
  const body = watcherBody(scope, watcher);
  return { kind: "watcher", id: watcherEntryId(scope, watcher.id), body };
}

function watcherBody(scope: string, watcher: Watcher): WatcherBody {
  const { id, name, leaseMs, ackedEpoch, ackedGeneration, ackedAtNs, owner, tokenHash } = watcher;
  const { previousTokenHash, showsToken, isTokenSpent, peer, supersededBy, process, failure } =
    watcher;
  return {
    scope,
    id,
    name,
    leaseMs,
    ackedEpoch: String(ackedEpoch),
    ackedGeneration,
    ackedAtNs: ackedAtNs?.toString(),
    owner,
    tokenHash,
    previousTokenHash,
    showsToken,
    isTokenSpent,
    peer,
    supersededBy,
    process,
    ...failure && {
      failure: { ...failure, epoch: String(failure.epoch), atNs: String(failure.atNs) },
    },
  };
}

/** The entry that removes a watcher. */
export function watcherGone(scope: string, watcher: string): LedgerEntry {
  return { kind: "watcher", id: watcherEntryId(scope, watcher), body: undefined };
}

/**
 * A watcher read back. It is held, since its connection is gone with the old process.
 *
 * @param nowNs From when on it is held, nanoseconds since 1970
 */
export function watcherOf({ body }: LedgerRow, nowNs: bigint): { scope: string; watcher: Watcher } {
  const saved = body as WatcherBody;
  return { scope: saved.scope, watcher: watcherOfBody(saved, nowNs) };
}

function watcherOfBody(body: WatcherBody, nowNs: bigint): Watcher {
  const { scope: _scope, ackedEpoch, ackedAtNs, failure, ...saved } = body;
  return {
    ...saved,
    tracked: true,
    presence: "held",
    presenceSinceNs: nowNs,
    ackedEpoch: BigInt(ackedEpoch),
    ackedAtNs: ackedAtNs === undefined ? undefined : BigInt(ackedAtNs),
    failure: failure && {
      ...failure,
      epoch: BigInt(failure.epoch),
      atNs: BigInt(failure.atNs),
    },
  };
}
