import type { Clock } from "../core/ports/clock.ts";
import { wallClock } from "../core/wall_clock.ts";
import type { Random } from "../core/ports/random.ts";

/** The machine's own clock. */
export const systemClock: Clock = {
  wallNs: wallClock(() => Date.now(), () => performance.now()),
  monotonicMs: () => performance.now(),
  after(delayMs, action) {
    const timer = setTimeout(action, delayMs);
    return () => clearTimeout(timer);
  },
};

/**
 * The machine's own clock, whose monotonic readings may be compared with those of earlier processes.
 *
 * @param monotonicId Names the boot of the machine
 * @param nowMs What the machine's monotonic clock shows now
 */
export function clockOfBoot(monotonicId: string, nowMs: number): Clock {
  const offsetMs = nowMs - systemClock.monotonicMs();
  const monotonicMs = (): number => systemClock.monotonicMs() + offsetMs;
  return { ...systemClock, monotonicId, monotonicMs };
}

/** The machine's own random bytes. */
export const systemRandom: Random = {
  bytes: (count) => crypto.getRandomValues(new Uint8Array(count)),
};
