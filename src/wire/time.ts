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

const RFC3339 =
  /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d{2}):(\d{2}))$/;

/**
 * The time that an RFC 3339 text names, in nanoseconds since 1970-01-01T00:00:00Z.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { wallNsOf } from "./time.ts";
 *
 * assertEquals(wallNsOf("1970-01-01T01:00:01.000000005+01:00"), 1_000_000_005n);
 * assertEquals(wallNsOf("1970-02-30T00:00:00Z"), undefined);
 * ```
 *
 * @returns `undefined` when it names none; leap seconds are none
 */
export function wallNsOf(text: string): bigint | undefined {
  const match = RFC3339.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction = "", sign, aheadHours, aheadMinutes] =
    match;
  const written = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
  const ms = Date.parse(written);
  // A day that its month does not have is taken for one of the next month.
  if (Number.isNaN(ms) || new Date(ms).toISOString() !== written) return undefined;
  const ahead = sign === undefined ? 0 : Number(aheadHours) * 60 + Number(aheadMinutes);
  if (Number(aheadHours ?? 0) > 23 || Number(aheadMinutes ?? 0) > 59) return undefined;
  const aheadNs = BigInt(sign === "-" ? -ahead : ahead) * 60n * NS_PER_SECOND;
  return BigInt(ms) * NS_PER_MS + BigInt(fraction.padEnd(9, "0")) - aheadNs;
}
