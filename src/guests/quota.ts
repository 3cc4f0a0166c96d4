import type { Descriptors } from "../core/descriptors.ts";
import { Fault } from "../core/faults.ts";
import { DESCRIPTORS_PER_GUEST, GUEST_BYTES_TOTAL_MAX, GUESTS_MAX } from "../core/limits.ts";

/** The names and the memory that guests take, also those that are still being made. */
export class GuestQuota {
  /** Memory by id, in bytes. A dead guest has a name and no memory. */
  readonly #bytes = new Map<string, number>();
  readonly #descriptors: Descriptors | undefined;
  /** The guests that have descriptors: all but the dead. */
  readonly #withDescriptors = new Set<string>();

  /** @param descriptors What guests may take of those of the process; no bound without it */
  constructor(descriptors?: Descriptors) {
    this.#descriptors = descriptors;
  }

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
   * Sets the memory of a guest whose name is taken, and takes its descriptors.
   *
   * @throws {Fault} `memory-exhausted`, `guests-exhausted`
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
    this.#takeDescriptors(id);
    this.#bytes.set(id, bytes);
  }

  #takeDescriptors(id: string): void {
    if (this.#descriptors === undefined || this.#withDescriptors.has(id)) return;
    if (!this.#descriptors.take("guests", DESCRIPTORS_PER_GUEST)) {
      throw new Fault(
        "guests-exhausted",
        `Cannot make guest "${id}": ${this.#descriptors.reason("guests")}`,
      );
    }
    this.#withDescriptors.add(id);
  }

  /** Records that a guest is dead: its name stays taken, its memory and descriptors are free. */
  releaseMemory(id: string): void {
    this.#giveDescriptors(id);
    this.#bytes.set(id, 0);
  }

  /** Records that a guest is gone, or was not made after all. */
  release(id: string): void {
    this.#giveDescriptors(id);
    this.#bytes.delete(id);
  }

  #giveDescriptors(id: string): void {
    if (this.#withDescriptors.delete(id)) this.#descriptors?.give("guests", DESCRIPTORS_PER_GUEST);
  }
}
