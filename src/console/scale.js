const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** The least time that is shown apart from zero. */
const LEAST_MS = 0.1;
const TICKS = [
  1,
  10,
  100,
  SECOND,
  10 * SECOND,
  MINUTE,
  10 * MINUTE,
  HOUR,
  10 * HOUR,
  100 * HOUR,
  1000 * HOUR,
];

/** It ends no earlier, so that a round of the usual length is drawn on one scale. */
const END_MS_MIN = 10 * SECOND;
/** Percent of the width that the words of the last tick take from the one before. */
const LAST_WORDS = 16;

/** From nothing to `endMs`, each decade of time as long as the others. */
export class Scale {
  /** @param {number} longestMs It ends at the next tick, so that it seldom changes */
  constructor(longestMs) {
    this.endMs = TICKS.find((tick) => tick >= Math.max(longestMs, END_MS_MIN)) ?? longestMs;
  }

  /**
   * @param {number} ms
   * @returns {number} Percent of the width
   */
  at(ms) {
    if (ms <= LEAST_MS) return 0;
    return Math.min(100, 100 * Math.log(ms / LEAST_MS) / Math.log(this.endMs / LEAST_MS));
  }

  get ticks() {
    return TICKS.filter((tick) => tick === this.endMs || this.at(tick) < 100 - LAST_WORDS);
  }
}

/**
 * What stands at a tick.
 *
 * @param {number} ms
 */
export function tickText(ms) {
  if (ms < SECOND) return `${ms} ms`;
  if (ms < MINUTE) return `${ms / SECOND} s`;
  return ms < HOUR ? `${ms / MINUTE} min` : `${ms / HOUR} h`;
}
