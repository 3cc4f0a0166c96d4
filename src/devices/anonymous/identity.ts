/** `simple` devices hand out inode numbers; `multi` devices map files of other devices. */
export const ANONYMOUS_KINDS = ["simple", "multi"] as const;

/** One of {@linkcode ANONYMOUS_KINDS}. */
export type AnonymousKind = typeof ANONYMOUS_KINDS[number];

/** A device's number in Linux: which driver, and which of its devices. */
interface DeviceNumber {
  readonly major: bigint;
  readonly minor: bigint;
}

/**
 * Both numbers in the one that stat() reports as st_dev (gVisor's ID.DeviceID). As there, the
 * major is cut to 16 bits and the minor to 32 first, so only minors below 2^20 stay distinct.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { linuxDeviceId } from "./identity.ts";
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

/** What an anonymous device is, apart from the numbers it has handed out. */
export class AnonymousIdentity implements DeviceNumber {
  readonly id: string;
  /** Anonymous devices have no driver (gVisor's newAnonID). */
  readonly major = 0n;
  /** The number that stat() reports for files on this device. */
  readonly deviceId: bigint;

  /** @param name What people call it; not unique */
  constructor(readonly minor: bigint, readonly name: string | undefined) {
    this.id = anonymousId(minor);
    this.deviceId = linuxDeviceId(this);
  }
}
