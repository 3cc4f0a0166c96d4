import { HOUR, MINUTE, SECOND } from "./time.js";

/** Less than this is drawn as nothing. */
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

/** The scale is at least this long, so that it stays the same for bumps of the usual length. */
const END_MS_MIN = 10 * SECOND;
/** The text of the last tick takes this percentage of the width, where no other tick fits. */
const LAST_TICK = 16;

/** A logarithmic scale from nothing to `endMs`: each decade of time is as long as the others. */
export class Scale {
  /** @param {number} longestMs The scale ends at the next tick, so that it seldom changes */
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
    return TICKS.filter((tick) => tick === this.endMs || this.at(tick) < 100 - LAST_TICK);
  }
}

/**
 * The text at a tick.
 *
 * @param {number} ms
 */
export function tickText(ms) {
  if (ms < SECOND) return `${ms} ms`;
  if (ms < MINUTE) return `${ms / SECOND} s`;
  return ms < HOUR ? `${ms / MINUTE} min` : `${ms / HOUR} h`;
}
