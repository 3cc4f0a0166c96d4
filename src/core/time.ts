const NS_PER_MS = 1_000_000n;
const NS_PER_SECOND = 1_000_000_000n;

/**
 * A time as RFC 3339 text in UTC with nanoseconds.
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
  const seconds = new Date(Number(wallNs / NS_PER_MS)).toISOString().slice(0, 19);
  return `${seconds}.${String(wallNs % NS_PER_SECOND).padStart(9, "0")}Z`;
}
