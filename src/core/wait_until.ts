import type { Clock } from "./ports/clock.ts";

/** How to wait for a condition. */
interface WaitOptions {
  readonly clock: Clock;
  /** Calls `onChange` after every change until the returned function is called. */
  readonly listen: (onChange: () => void) => () => void;
  /** How long to wait at most, in milliseconds; 0 checks once. */
  readonly waitMs: number;
  /** Ends the wait when the caller goes away. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Waits until a condition is fulfilled: it is checked now and at every change.
 *
 * `look` runs inside the change itself. Later would be too late: by the waiter's own turn, the next
 * change may have undone the condition.
 *
 * @param look Returns `undefined` until the condition is fulfilled; throws when it never will be
 * @returns `undefined` when the time is up or the caller went away
 */
export async function waitUntil<Found>(
  look: () => Found | undefined,
  { clock, listen, waitMs, signal }: WaitOptions,
): Promise<Found | undefined> {
  const found = look();
  if (found !== undefined || waitMs <= 0 || signal?.aborted === true) return found;
  const { promise, resolve, reject } = Promise.withResolvers<Found | undefined>();
  const giveUp = (): void => resolve(undefined);
  const stopListening = listen(() => {
    try {
      const found = look();
      if (found !== undefined) resolve(found);
    } catch (error) {
      reject(error);
    }
  });
  const stopTimer = clock.after(waitMs, giveUp);
  signal?.addEventListener("abort", giveUp, { once: true });
  try {
    return await promise;
  } finally {
    stopListening();
    stopTimer();
    signal?.removeEventListener("abort", giveUp);
  }
}
