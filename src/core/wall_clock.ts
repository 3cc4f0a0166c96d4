/** The wall clock counts whole milliseconds; a difference above this means that it was set. */
const STEP_MS = 2;

/**
 * A wall clock with parts of milliseconds, which follows the host's when that is set. Counting on
 * from the start of the process would show the time of the start for ever.
 *
 * @param nowMs The host's wall clock, in whole milliseconds since 1970
 * @param monotonicMs Milliseconds that never go back
 * @returns Reads nanoseconds since 1970
 */
export function wallClock(nowMs: () => number, monotonicMs: () => number): () => bigint {
  let originMs = nowMs() - monotonicMs();
  return () => {
    const [readMs, countedMs] = [nowMs(), monotonicMs()];
    if (Math.abs(readMs - originMs - countedMs) > STEP_MS) originMs = readMs - countedMs;
    return BigInt(Math.round((originMs + countedMs) * 1e6));
  };
}
