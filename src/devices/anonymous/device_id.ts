/** A device's number in Linux: which driver, and which of its devices. */
export interface DeviceNumber {
  readonly major: bigint;
  readonly minor: bigint;
}

/** Anonymous devices have no driver (seed 000, newAnonID). */
export const ANONYMOUS_MAJOR = 0n;

/**
 * Both numbers in the one that stat() reports as st_dev (seed 000, ID.DeviceID). As there, the
 * major is cut to 16 bits and the minor to 32 first, so only minors below 2^20 stay distinct.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { linuxDeviceId } from "./device_id.ts";
 *
 * assertEquals(linuxDeviceId({ major: 8n, minor: 1n }), 0x801n);
 * ```
 */
export function linuxDeviceId({ major, minor }: DeviceNumber): bigint {
  const major12 = BigInt.asUintN(16, major) & 0xfffn;
  const minor32 = BigInt.asUintN(32, minor);
  return BigInt.asUintN(32, (minor32 & 0xffn) | major12 << 8n | minor32 >> 8n << 20n);
}

/** The name by which the API calls an anonymous device: its minor never changes. */
export function anonymousId(minor: bigint): string {
  return `anon-${minor}`;
}
