import type { Clock } from "./ports/clock.ts";

/** A reading of a monotonic clock that outlives its process. */
export interface Moment {
  /** Which count it is a reading of. */
  readonly count: string;
  readonly ms: number;
}

/** This moment; `undefined` where readings mean nothing to a later process. */
export function momentOf(clock: Clock): Moment | undefined {
  const { monotonicId: count } = clock;
  return count === undefined ? undefined : { count, ms: clock.monotonicMs() };
}

/**
 * Milliseconds since a moment, whatever the wall clock did meanwhile.
 *
 * @returns `undefined` when it was read from another count, as before a boot of the machine
 */
export function msSince(clock: Clock, moment: Moment | undefined): number | undefined {
  if (moment === undefined || moment.count !== clock.monotonicId) return undefined;
  return Math.max(0, clock.monotonicMs() - moment.ms);
}
