import { Fault } from "../core/faults.ts";
import { BARRIER_MS_MAX, BARRIER_NAMES_MAX } from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { Scope, Watcher } from "./scope.ts";

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
}

/**
 * Whether a barrier is open (WAIT_WATCHERS of seed 004, made fail-closed): only when every tracked
 * watcher has confirmed the generation that was current when the caller came.
 *
 * @param boundEpoch The epoch that was current when the caller came
 * @returns `undefined` while watchers have not confirmed
 * @throws {Fault} `generation-changed` (EINTR) when bumped since, or when the caller means another
 * one; `caller-outdated` (EINTR); `watcher-not-found`
 */
export function judge(scope: Scope, ask: BarrierAsk, boundEpoch: bigint): BarrierOpen | undefined {
  const { generation, epoch } = scope;
  const meant = (ask.generation ?? generation) === generation &&
    (ask.epoch ?? boundEpoch) === epoch && boundEpoch === epoch;
  if (!meant) {
    throw new Fault(
      "generation-changed",
      `Cannot pass the barrier of scope "${scope.name}": the generation is now ${generation} ` +
        `(epoch ${epoch})`,
      { members: { generation, epoch: String(epoch) } },
    );
  }
  if (ask.watcher !== undefined && scope.isOutdated(scope.watcher(ask.watcher))) {
    throw new Fault(
      "caller-outdated",
      `Cannot pass the barrier of scope "${scope.name}": watcher "${ask.watcher}" itself has not ` +
        `confirmed generation ${generation}`,
      { members: { generation, epoch: String(epoch) } },
    );
  }
  return scope.counts.outdated === 0 ? { generation, epoch } : undefined;
}

/**
 * Looks again at every change of the scope until the barrier opens or fails.
 *
 * @param look Says whether it is open now, and throws when it never will be
 * @param waitMs How long to wait at most
 * @throws {Fault} what `look` throws; `watchers-outdated` (ETIME) when the time is up or the
 * caller goes away
 */
export function waitBarrier(
  scope: Scope,
  look: () => BarrierOpen | undefined,
  waitMs: number,
  { clock, listen, signal }: {
    readonly clock: Clock;
    readonly listen: (listener: () => void) => () => void;
    readonly signal: AbortSignal | undefined;
  },
): Promise<BarrierOpen> {
  if (waitMs <= 0 || signal?.aborted === true) return Promise.reject(lateFault(scope));
  const { promise, resolve, reject } = Promise.withResolvers<BarrierOpen>();
  // The verdict is taken inside the change itself: by the time a waiter would run, the next bump
  // may have come.
  const stopListening = listen(() => {
    try {
      const open = look();
      if (open !== undefined) resolve(open);
    } catch (fault) {
      reject(fault);
    }
  });
  const giveUp = (): void => reject(lateFault(scope));
  const stopTimer = clock.after(Math.min(waitMs, BARRIER_MS_MAX), giveUp);
  signal?.addEventListener("abort", giveUp, { once: true });
  return promise.finally(() => {
    stopListening();
    stopTimer();
    signal?.removeEventListener("abort", giveUp);
  });
}

/** The fault of a barrier that did not open in time: it names who is late. */
export function lateFault(scope: Scope): Fault {
  const { outdated } = scope.counts;
  const late = scope.late(BARRIER_NAMES_MAX);
  const names = late.slice(0, 5).map((watcher) => watcher.name).join(", ");
  return new Fault(
    "watchers-outdated",
    `Cannot pass the barrier of scope "${scope.name}": ${outdated} tracked ` +
      `${outdated === 1 ? "watcher has" : "watchers have"} not confirmed generation ` +
      `${scope.generation}: ${names}${outdated > 5 ? ", …" : ""}`,
    {
      members: {
        generation: scope.generation,
        epoch: String(scope.epoch),
        outdated,
        watchers: late.map(describe),
      },
    },
  );
}

function describe({ id, name, presence, ackedEpoch }: Watcher): Record<string, string> {
  return { watcher: id, name, presence, ackedEpoch: String(ackedEpoch) };
}
