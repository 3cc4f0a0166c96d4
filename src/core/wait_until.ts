import type { Clock } from "./ports/clock.ts";

/** How to wait for something that changes tell of. */
interface WaitOptions {
  readonly clock: Clock;
  /** Calls back at every change until the returned function is called. */
  readonly listen: (onChange: () => void) => () => void;
  /** How long to wait at most, in milliseconds; 0 looks once. */
  readonly waitMs: number;
  /** Ends the wait when the caller goes away. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Looks now and at every change until there is something.
 *
 * `look` runs inside the change itself: by the time a waiter's own turn would come, the next
 * change may have undone what it waited for.
 *
 * @param look Returns what was waited for, or throws when it will never come
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
