import { Fault } from "../../core/faults.ts";
import { U64_MAX } from "../../core/limits.ts";
import type { AnonymousIdentity } from "./identity.ts";

/** A device that hands out inode numbers 1, 2, 3, … (gVisor's Device). */
export class SimpleDevice {
  readonly kind = "simple";
  #last: bigint;

  /** @param last The inode number handed out last, 0 for none */
  constructor(readonly identity: AnonymousIdentity, last = 0n) {
    this.#last = last;
  }

  get last(): bigint {
    return this.#last;
  }

  /**
   * The inode number that comes next (gVisor's Device.NextIno). {@linkcode take} hands it out.
   *
   * @throws {Fault} `inodes-exhausted` where gVisor wraps to 0
   */
  next(): bigint {
    if (this.#last === U64_MAX) {
      throw new Fault(
        "inodes-exhausted",
        `Cannot take an inode number of device ${this.identity.id}: all up to ${U64_MAX} are ` +
          "handed out: create another device",
      );
    }
    return this.#last + 1n;
  }

  /** Hands out the number that {@linkcode next} has named. */
  take(inode: bigint): void {
    this.#last = inode;
  }
}
