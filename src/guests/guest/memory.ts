import { Fault } from "../../core/faults.ts";
import type { StoppedGuest } from "./stopped.ts";

/** The memory of a guest that does not run. Addresses are guest-physical. */
export class GuestMemory {
  readonly #guest: StoppedGuest;

  constructor(guest: StoppedGuest, readonly sizeBytes: number) {
    this.#guest = guest;
  }

  /**
   * Refuses a range that cannot be read now.
   *
   * @throws {Fault} `guest-dead`, `wrong-state`, `address-out-of-range`
   */
  require(at: bigint, length: bigint): void {
    this.#guest.requireStopped();
    requireWithin(at, length, this.sizeBytes);
  }

  /** @throws {Fault} `guest-dead`, `wrong-state`, `address-out-of-range` */
  async read(at: bigint, length: number): Promise<Uint8Array<ArrayBuffer>> {
    this.require(at, BigInt(length));
    return await this.#guest.request((engine) => engine.read(Number(at), length));
  }

  /** @throws {Fault} `guest-dead`, `wrong-state`, `address-out-of-range` */
  async write(at: bigint, bytes: Uint8Array): Promise<void> {
    this.require(at, BigInt(bytes.length));
    this.#guest.requireChangeable();
    await this.#guest.request((engine) => engine.write(Number(at), bytes));
    this.#guest.changed({ memory: { at, length: bytes.length } });
  }
}

/**
 * Refuses a range that is not all in memory, as lguest's lguest_address_ok() does.
 *
 * @throws {Fault} `address-out-of-range`
 */
export function requireWithin(at: bigint, length: bigint, memoryBytes: number): void {
  if (at >= 0n && at + length <= BigInt(memoryBytes)) return;
  throw new Fault(
    "address-out-of-range",
    `Cannot reach ${length} bytes at ${at}: the guest has ${memoryBytes} bytes of memory`,
  );
}
