import { LOG_REPEATS_MAX, LOG_SUM_MS } from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";

/** How often one kind of line came since its first. */
interface Count {
  passed: number;
  summed: number;
}

/**
 * Lets the first lines of a kind through and sums up the others, so that a caller who is refused a
 * thousand times a second does not fill the log.
 */
export class LogSums {
  readonly #clock: Clock;
  readonly #say: (kind: string, count: number) => void;
  readonly #counts = new Map<string, Count>();

  /** @param say Is told how many lines of a kind were left out */
  constructor(clock: Clock, say: (kind: string, count: number) => void) {
    this.#clock = clock;
    this.#say = say;
  }

  /** Whether a line of this kind is to be written, and not only to be counted. */
  passes(kind: string): boolean {
    const count = this.#counts.get(kind) ?? this.#begin(kind);
    if (count.passed < LOG_REPEATS_MAX) {
      count.passed++;
      return true;
    }
    count.summed++;
    return false;
  }

  #begin(kind: string): Count {
    const count = { passed: 0, summed: 0 };
    this.#counts.set(kind, count);
    this.#clock.after(LOG_SUM_MS, () => {
      this.#counts.delete(kind);
      if (count.summed > 0) this.#say(kind, count.summed);
    });
    return count;
  }
}
