const NS_PER_MS = 1_000_000n;
const NS_PER_SECOND = 1_000_000_000n;
const YEAR_0_NS = -62_167_219_200n * NS_PER_SECOND;
const YEAR_9999_NS = 253_402_300_800n * NS_PER_SECOND - 1n;

/**
 * A time as RFC 3339 text in UTC with nanoseconds. A file can have a time outside the years 0 to
 * 9999 that the text can name: it is shown as the nearest one that it can.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { rfc3339 } from "./time.ts";
 *
 * assertEquals(rfc3339(1_000_000_005n), "1970-01-01T00:00:01.000000005Z");
 * ```
 *
 * @param wallNs Nanoseconds since 1970-01-01T00:00:00Z
 */
export function rfc3339(wallNs: bigint): string {
  const shownNs = wallNs < YEAR_0_NS ? YEAR_0_NS : wallNs > YEAR_9999_NS ? YEAR_9999_NS : wallNs;
  const fractionNs = (shownNs % NS_PER_SECOND + NS_PER_SECOND) % NS_PER_SECOND;
  const wholeMs = Number((shownNs - fractionNs) / NS_PER_MS);
  const seconds = new Date(wholeMs).toISOString().slice(0, 19);
  return `${seconds}.${String(fractionNs).padStart(9, "0")}Z`;
}
