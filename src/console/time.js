/**
 * Milliseconds since 1970 of a time of the API, with fractions. Date.parse drops what is below a
 * millisecond, and most of a bump happens there.
 *
 * @param {string} text RFC 3339 in UTC, with up to 9 digits of a second
 */
export function timeMs(text) {
  const [, seconds = "", fraction = "0"] = /^(.*?)(?:\.(\d+))?Z$/.exec(text) ?? [];
  return Date.parse(`${seconds}Z`) + Number(`0.${fraction}`) * 1000;
}

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/**
 * A length of time in few words, such as `0.4 ms`, `340 ms`, `1.2 s`, `3 min`.
 *
 * @param {number} ms
 */
export function durationText(ms) {
  if (ms < 10) return `${Math.max(0, ms).toFixed(1)} ms`;
  if (ms < SECOND) return `${Math.round(ms)} ms`;
  if (ms < 10 * SECOND) return `${(ms / SECOND).toFixed(1)} s`;
  return roundText(ms);
}

/**
 * A length of time that goes on, in whole units so that it ticks and does not flicker.
 *
 * @param {number} ms
 */
export function roundText(ms) {
  if (ms < MINUTE) return `${Math.max(0, Math.floor(ms / SECOND))} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  if (ms < DAY) return `${Math.floor(ms / HOUR)} h`;
  return `${Math.floor(ms / DAY)} d`;
}

let skewMs = 0;

/**
 * Learns the daemon's clock from the `Date` of an answer, in whole seconds. The page may run on
 * another machine than the daemon.
 *
 * @param {string | null} date
 */
export function learnClock(date) {
  const difference = Date.parse(date ?? "") - Date.now();
  if (!Number.isNaN(difference)) skewMs = Math.abs(difference) > 2 * SECOND ? difference : 0;
}

/** Now by the daemon's clock, milliseconds since 1970. */
export function nowMs() {
  return Date.now() + skewMs;
}
