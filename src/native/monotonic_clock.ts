import { CLOCK_MONOTONIC } from "./constants.ts";
import type { Libc } from "./libc.ts";

/**
 * What the machine's monotonic clock shows: milliseconds since its boot, the same for all processes.
 * Deno counts from the start of its own.
 *
 * @throws {SystemError}
 */
export function monotonicNowMs(libc: Libc): number {
  const time = new BigInt64Array(2);
  const bytes = new Uint8Array(time.buffer);
  libc.check(
    libc.symbols.clock_gettime(CLOCK_MONOTONIC, bytes),
    "clock_gettime",
    "monotonic clock",
  );
  const [seconds = 0n, nanoseconds = 0n] = time;
  return Number(seconds) * 1e3 + Number(nanoseconds) / 1e6;
}
