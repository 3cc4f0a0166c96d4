import { PREFER_WAIT_SECONDS_MAX } from "../../core/limits.ts";

const WAIT = /(?:^|,)\s*wait\s*=\s*"?([0-9]{1,9})"?\s*(?:[;,]|$)/i;

/**
 * How long a client is willing to wait: `Prefer: wait=N` (RFC 7240 §4.3). A preference that
 * cannot be read is ignored, as the RFC asks; one above the limit is cut to it.
 *
 * @returns Milliseconds, `undefined` when no wait is preferred
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { preferredWaitMs } from "./prefer.ts";
 *
 * assertEquals(preferredWaitMs("respond-async, wait=10"), 10_000);
 * assertEquals(preferredWaitMs(undefined), undefined);
 * ```
 */
export function preferredWaitMs(prefer: string | undefined): number | undefined {
  const seconds = prefer === undefined ? undefined : WAIT.exec(prefer)?.[1];
  return seconds === undefined
    ? undefined
    : Math.min(Number(seconds), PREFER_WAIT_SECONDS_MAX) * 1000;
}
