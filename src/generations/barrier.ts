import { Fault } from "../core/faults.ts";
import { BARRIER_NAMES_MAX } from "../core/limits.ts";
import type { ScopeState } from "./scope.ts";
import type { Watcher } from "./watcher.ts";

/** Which generation a caller of the barrier means, and who it is. */
export interface BarrierRequest {
  readonly generation?: number | undefined;
  readonly epoch?: bigint | undefined;
  /** The caller, when it is a watcher of the scope itself. */
  readonly watcher?: string | undefined;
}

/** The generation for which a barrier opened. */
export interface BarrierOpen {
  readonly generation: number;
  readonly epoch: bigint;
  /** Watchers that were lost and have not confirmed; empty unless the scope lets that pass. */
  readonly lost: readonly Watcher[];
}

/**
 * Judges whether a barrier is open: only when every tracked watcher has confirmed the generation
 * that was current when the caller came. This is the sysgenid driver's WAIT_WATCHERS, made
 * fail-closed (docs/generations.md#7).
 *
 * @param boundEpoch The epoch that was current when the caller came
 * @returns `undefined` while there is somebody to wait for
 * @throws {Fault} `generation-changed` (EINTR) when bumped since, or when the caller means another
 * one; `caller-outdated` (EINTR); `watchers-failed`; `watchers-lost` when only lost ones are left
 * and the scope does not let that pass; `watcher-not-found`
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
  if (late.length === 0) return { generation, epoch, lost: [] };
  const failed = late.filter((watcher) => scope.hasFailed(watcher));
  if (failed.length > 0) throw blockedFault("watchers-failed", scope, failed);
  const lost = late.filter(({ presence }) => presence === "lost");
  if (lost.length < late.length) return undefined;
  if (scope.options.onLost === "block") throw blockedFault("watchers-lost", scope, lost);
  return { generation, epoch, lost };
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

/** A watcher as problem documents name it. */
export function describe(
  { id, name, presence, ackedGeneration, failure }: Watcher,
): Record<string, unknown> {
  return {
    watcher: id,
    name,
    presence,
    ...(ackedGeneration === undefined ? {} : { ackedGeneration }),
    ...(failure === undefined ? {} : { reason: failure.reason }),
  };
}
