import { Fault } from "../core/faults.ts";
import { GUEST_BYTES_TOTAL_MAX, GUESTS_MAX } from "../core/limits.ts";

/** The names and the memory that guests take, also those that are still being made. */
export class GuestQuota {
  /** Memory by id, in bytes. A dead guest has a name and no memory. */
  readonly #bytes = new Map<string, number>();

  /** Memory of all guests, in bytes. */
  get bytes(): number {
    return this.#bytes.values().reduce((sum, bytes) => sum + bytes, 0);
  }

  /** @throws {Fault} `already-initialized` when a guest has this id, `guests-exhausted` */
  take(id: string): void {
    if (this.#bytes.has(id)) {
      throw new Fault("already-initialized", `Cannot make guest "${id}": it exists already`);
    }
    if (this.#bytes.size >= GUESTS_MAX) {
      throw new Fault("guests-exhausted", `Cannot make a guest: there are ${GUESTS_MAX} already`);
    }
    this.#bytes.set(id, 0);
  }

  /**
   * Sets the memory of a guest whose name is taken.
   *
   * @throws {Fault} `memory-exhausted`
   */
  reserve(id: string, bytes: number): void {
    const inUse = this.bytes;
    if (inUse + bytes > GUEST_BYTES_TOTAL_MAX) {
      throw new Fault(
        "memory-exhausted",
        `Cannot make guest "${id}" of ${bytes} bytes: ${inUse} of ${GUEST_BYTES_TOTAL_MAX} are ` +
          "in use; delete a guest",
      );
    }
    this.#bytes.set(id, bytes);
  }

  /** Records that a guest is dead: its name stays taken, its memory is free. */
  releaseMemory(id: string): void {
    this.#bytes.set(id, 0);
  }

  /** Records that a guest is gone, or was not made after all. */
  release(id: string): void {
    this.#bytes.delete(id);
  }
}
