import { Fault } from "../core/faults.ts";
import { BARRIER_NAMES_MAX } from "../core/limits.ts";
import type { Departure } from "./confirmations.ts";
import { matchesPattern } from "./expectations.ts";
import type { ScopeState } from "./scope.ts";
import { processView, shownPresence, type Watcher } from "./watcher.ts";

/** Which generation a caller of the barrier means, and who it is. */
export interface BarrierRequest {
  readonly generation?: number | undefined;
  readonly epoch?: bigint | undefined;
  /** The caller, when it is a watcher of the scope itself. */
  readonly watcher?: string | undefined;
  /** How many must have confirmed at least, for this call alone. */
  readonly atLeast?: number | undefined;
}

/** The generation for which a barrier opened, and the evidence for it. */
export interface BarrierOpen {
  readonly generation: number;
  readonly epoch: bigint;
  /** Watchers that were lost and have not confirmed; empty unless the scope lets that pass. */
  readonly lost: readonly Watcher[];
  /** Who has confirmed this generation, each with its time. */
  readonly confirmed: readonly Watcher[];
  /** Tracked watchers that left before they had confirmed it. */
  readonly departed: readonly Departure[];
  /** Watchers that were lost for so long that the scope no longer waits for them. */
  readonly forgotten: readonly Departure[];
}

/**
 * Judges whether a barrier is open: only when every tracked watcher has confirmed the generation
 * that was current when the caller came, and every expectation is met. This is the sysgenid
 * driver's WAIT_WATCHERS, made fail-closed (docs/generations.md#7).
 *
 * @param boundEpoch The epoch that was current when the caller came
 * @returns `undefined` while there is somebody to wait for
 * @throws {Fault} `generation-changed` (EINTR) when bumped since, or when the caller means another
 * one; `caller-outdated` (EINTR); `watchers-failed`; `watchers-lost` when only lost ones are left
 * and the scope does not let that pass; `expectations-unmet` when somebody who was expected left
 * without confirming; `watcher-not-found`
 */
export function judge(
  scope: ScopeState,
  request: BarrierRequest,
  boundEpoch: bigint,
): BarrierOpen | undefined {
  requireMeant(scope, request, boundEpoch);
  requireCallerCurrent(scope, request.watcher);
  const { generation, epoch } = scope;
  const late = [...scope.late()];
  // Whoever is lost is excused where the scope lets that pass, whatever it said before.
  const opensForLost = scope.options.onLost === "open";
  const failed = late.filter((watcher) =>
    scope.hasFailed(watcher) && !(opensForLost && watcher.presence === "lost")
  );
  if (failed.length > 0) throw blockedFault("watchers-failed", scope, failed);
  const lost = late.filter(({ presence }) => presence === "lost");
  if (lost.length < late.length) return undefined;
  if (lost.length > 0 && scope.options.onLost === "block") {
    throw blockedFault("watchers-lost", scope, lost);
  }
  const { names, broken, missing } = scope.unmet(request.atLeast);
  // Nobody else can confirm in the place of somebody who left.
  if (broken.length > 0) throw unmetFault(scope, request);
  if (names.length > 0 || missing > 0) return undefined;
  const { departed, forgotten } = scope.past;
  return { generation, epoch, lost, confirmed: [...scope.confirmed()], departed, forgotten };
}

function requireMeant(scope: ScopeState, request: BarrierRequest, boundEpoch: bigint): void {
  const { generation, epoch } = scope;
  const isGeneration = (request.generation ?? generation) === generation;
  if (isGeneration && (request.epoch ?? epoch) === epoch && boundEpoch === epoch) return;
  throw new Fault(
    "generation-changed",
    `Cannot pass the barrier of scope "${scope.name}": the generation is now ${generation} ` +
      `(epoch ${epoch})`,
    { members: { generation, epoch: String(epoch) } },
  );
}

function requireCallerCurrent(scope: ScopeState, caller: string | undefined): void {
  if (caller === undefined || !scope.isOutdated(scope.watcher(caller))) return;
  const { generation, epoch } = scope;
  throw new Fault(
    "caller-outdated",
    `Cannot pass the barrier of scope "${scope.name}": watcher "${caller}" itself has not ` +
      `confirmed generation ${generation}`,
    { members: { generation, epoch: String(epoch) } },
  );
}

const WHAT_THEY_DID = {
  "watchers-outdated": "has not confirmed",
  "watchers-failed": "could not adapt to",
  "watchers-lost": "was lost before it confirmed",
} as const;

/** The fault of a barrier that stays shut. It names who is in the way, and why. */
export function blockedFault(
  code: keyof typeof WHAT_THEY_DID,
  scope: ScopeState,
  watchers: readonly Watcher[],
): Fault {
  const { generation, epoch } = scope;
  const names = watchers.slice(0, 5).map(({ name, failure }) =>
    code === "watchers-failed" ? `${name} (${failure?.reason})` : name
  );
  const rest = watchers.length > names.length ? `, and ${watchers.length - names.length} more` : "";
  return new Fault(
    code,
    `Cannot pass the barrier of scope "${scope.name}": ${names.join(", ")}${rest} ` +
      `${WHAT_THEY_DID[code]} generation ${generation}`,
    {
      members: {
        generation,
        epoch: String(epoch),
        outdated: scope.counts.outdated,
        watchers: watchers.slice(0, BARRIER_NAMES_MAX).map(describe),
      },
    },
  );
}

/** The fault of a barrier that waits for somebody who is expected and has not confirmed. */
export function unmetFault(scope: ScopeState, { atLeast = 0 }: BarrierRequest): Fault {
  const { generation, epoch } = scope;
  const { names, broken, missing } = scope.unmet(atLeast);
  const wanted = Math.max(atLeast, scope.options.atLeast);
  const awaited = [...scope.watchers].filter((watcher) =>
    !scope.hasConfirmed(watcher) && names.some((name) => matchesPattern(name, watcher.name))
  );
  const why = [
    ...names.map((name) =>
      broken.includes(name)
        ? `"${name}" left without confirming`
        : `"${name}" has not confirmed generation ${generation}`
    ),
    ...missing > 0
      ? [`${wanted - missing} of at least ${wanted} have confirmed generation ${generation}`]
      : [],
    ...scope.counts.tracked === 0 ? ["nobody is waited for otherwise"] : [],
  ];
  return new Fault(
    "expectations-unmet",
    `Cannot pass the barrier of scope "${scope.name}": ${why.join("; ")}`,
    {
      members: {
        generation,
        epoch: String(epoch),
        expected: names,
        left: broken,
        confirmed: scope.confirmedCount,
        atLeast: wanted,
        watchers: awaited.slice(0, BARRIER_NAMES_MAX).map(describe),
      },
    },
  );
}

/** A watcher as problem documents name it. */
export function describe(watcher: Watcher): Record<string, unknown> {
  const { id, name, ackedGeneration, failure, supersededBy, process } = watcher;
  return {
    watcher: id,
    name,
    presence: shownPresence(watcher),
    ...(ackedGeneration === undefined ? {} : { ackedGeneration }),
    ...(failure === undefined ? {} : { reason: failure.reason }),
    ...(supersededBy === undefined ? {} : { supersededBy }),
    ...(process === undefined ? {} : { process: processView(process) }),
  };
}
