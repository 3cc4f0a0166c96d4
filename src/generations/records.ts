/**
 * Scopes and watchers as the ledger holds them. Times and epochs are decimal strings, since JSON
 * has no 64-bit numbers. Members that are `undefined` are not written.
 *
 * @module
 */
import type { LedgerEntry, LedgerRow } from "../core/ports/ledger.ts";
import type { Bump } from "./bump.ts";
import type { Departure } from "./confirmations.ts";
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
}

interface WatcherBody extends
  Pick<
    Watcher,
    | ("id" | "name" | "leaseMs" | "ackedGeneration" | "owner" | "tokenHash")
    | ("previousTokenHash" | "showsToken" | "peer" | "supersededBy" | "process")
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

type SavedScope = Pick<
  ScopeState,
  "name" | "options" | "current" | "previousGeneration" | "broken" | "forgotten" | "departed"
>;

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
  scope: SavedScope,
  change: Partial<SavedScope> & { readonly deleted?: true } = {},
): LedgerEntry {
  const { options, current, previousGeneration, broken, forgotten, departed } = scope;
  const saved = { options, current, previousGeneration, broken, forgotten, departed, ...change };
  const body: ScopeBody = {
    options: saved.options,
    previousGeneration: saved.previousGeneration,
    ...bumpBody(saved.current),
    deleted: saved.deleted,
    broken: saved.broken.size === 0 ? undefined : [...saved.broken],
    forgotten: saved.forgotten.length === 0 ? undefined : saved.forgotten,
    departed: saved.departed.length === 0 ? undefined : saved.departed,
  };
  return { kind: "scope", id: scope.name, body };
}

/** The entry that forgets a scope. */
export function scopeGone(name: string): LedgerEntry {
  return { kind: "scope", id: name, body: undefined };
}

/** A scope read back, and whether it is a tombstone. */
export function scopeOf({ id, body }: LedgerRow): { scope: Scope; deleted: boolean } {
  const { options, previousGeneration, deleted = false, broken, forgotten, departed, ...bump } =
    body as ScopeBody;
  const current = bumpOf(bump);
  // Rows of earlier versions lack the options that came since.
  const all = { ...DEFAULT_OPTIONS, ...options };
  return {
    scope: new Scope(id, all, current, previousGeneration, { broken, forgotten, departed }),
    deleted,
  };
}

function watcherEntryId(scope: string, watcher: string): string {
  return `${scope}/${watcher}`;
}

/** The entry of a tracked watcher as it is now. */
export function watcherEntry(scope: string, watcher: Watcher): LedgerEntry {
  const { id, name, leaseMs, ackedEpoch, ackedGeneration, ackedAtNs, owner, tokenHash } = watcher;
  const { previousTokenHash, showsToken, peer, supersededBy, process, failure } = watcher;
  const body: WatcherBody = {
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
    peer,
    supersededBy,
    process,
    ...failure && {
      failure: { ...failure, epoch: String(failure.epoch), atNs: String(failure.atNs) },
    },
  };
  return { kind: "watcher", id: watcherEntryId(scope, id), body };
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
  const { scope, ackedEpoch, ackedAtNs, failure, ...saved } = body as WatcherBody;
  const watcher: Watcher = {
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
  return { scope, watcher };
}
