import { Fault } from "../core/faults.ts";
import { BARRIER_NAMES_MAX } from "../core/limits.ts";
import type { Scope } from "./scope.ts";
import type { Watcher } from "./watcher.ts";

/** What a caller of the barrier says of itself and of the generation it means. */
export interface BarrierAsk {
  readonly generation?: number | undefined;
  readonly epoch?: bigint | undefined;
  /** The caller, when it is a watcher of the scope itself. */
  readonly watcher?: string | undefined;
}

/** The generation for which a barrier opened. */
export interface BarrierOpen {
  readonly generation: number;
  readonly epoch: bigint;
  /** Watchers that were lost and have not confirmed, where the scope lets that pass. */
  readonly lost: readonly Watcher[];
}

/**
 * Whether a barrier is open (WAIT_WATCHERS of seed 004, made fail-closed): only when every tracked
 * watcher has confirmed the generation that was current when the caller came.
 *
 * @param boundEpoch The epoch that was current when the caller came
 * @returns `undefined` while there is somebody to wait for
 * @throws {Fault} `generation-changed` (EINTR) when bumped since, or when the caller means another
 * one; `caller-outdated` (EINTR); `watchers-failed`; `watchers-lost` when only lost ones are left
 * and the scope does not let that pass; `watcher-not-found`
 */
export function judge(scope: Scope, ask: BarrierAsk, boundEpoch: bigint): BarrierOpen | undefined {
  requireMeant(scope, ask, boundEpoch);
  requireCallerCurrent(scope, ask.watcher);
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

function requireMeant(scope: Scope, ask: BarrierAsk, boundEpoch: bigint): void {
  const { generation, epoch } = scope;
  const isGeneration = (ask.generation ?? generation) === generation;
  if (isGeneration && (ask.epoch ?? epoch) === epoch && boundEpoch === epoch) return;
  throw new Fault(
    "generation-changed",
    `Cannot pass the barrier of scope "${scope.name}": the generation is now ${generation} ` +
      `(epoch ${epoch})`,
    { members: { generation, epoch: String(epoch) } },
  );
}

function requireCallerCurrent(scope: Scope, caller: string | undefined): void {
  if (caller === undefined || !scope.isOutdated(scope.watcher(caller))) return;
  const { generation, epoch } = scope;
  throw new Fault(
    "caller-outdated",
    `Cannot pass the barrier of scope "${scope.name}": watcher "${caller}" itself has not ` +
      `confirmed generation ${generation}`,
    { members: { generation, epoch: String(epoch) } },
  );
}

const WHAT = {
  "watchers-outdated": "has not confirmed",
  "watchers-failed": "could not adapt to",
  "watchers-lost": "was lost before it confirmed",
} as const;

/** The fault of a barrier that stays shut: it names who is in the way, and why. */
export function blockedFault(
  code: keyof typeof WHAT,
  scope: Scope,
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
      `${WHAT[code]} generation ${generation}`,
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
