import { Fault } from "../core/faults.ts";
import { GUEST_LOADS_MAX, GUEST_PAGES_MAX, PAGE_BYTES } from "../core/limits.ts";
import type { GuestIdentity, GuestStart } from "../core/ports/guest_engine.ts";
import { requireWithin } from "./guest/guest.ts";

/** A program of the guest ABI (seed 003, initialize()). */
export interface Program {
  /** How many pages of memory it has. */
  readonly pfnLimit: number;
  /** Address of the first instruction. */
  readonly start: bigint;
  readonly load: readonly { readonly at: bigint; readonly bytes: Uint8Array }[];
}

/**
 * Refuses a program that cannot be loaded.
 *
 * @throws {Fault} `value-not-allowed`, `address-out-of-range`
 */
export function checkProgram({ pfnLimit, start, load }: Program): void {
  if (!Number.isInteger(pfnLimit) || pfnLimit < 1 || pfnLimit > GUEST_PAGES_MAX) {
    throw new Fault(
      "value-not-allowed",
      `Cannot make a guest: pfnLimit must be from 1 to ${GUEST_PAGES_MAX}: received ${pfnLimit}`,
    );
  }
  if (load.length > GUEST_LOADS_MAX) {
    throw new Fault(
      "value-not-allowed",
      `Cannot make a guest: load may have ${GUEST_LOADS_MAX} pieces: received ${load.length}`,
    );
  }
  const memoryBytes = pfnLimit * PAGE_BYTES;
  requireWithin(start, 1n, memoryBytes);
  for (const { at, bytes } of load) requireWithin(at, BigInt(bytes.length), memoryBytes);
}

/** How a guest begins that runs this program. */
export function startOf(
  { pfnLimit, start, load }: Program,
  identity: GuestIdentity,
): GuestStart {
  return {
    memoryBytes: pfnLimit * PAGE_BYTES,
    start: Number(start),
    load: load.map(({ at, bytes }) => ({ at: Number(at), bytes })),
    identity,
  };
}
