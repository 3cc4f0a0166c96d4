import { Fault } from "../../core/faults.ts";
import { U64_MAX } from "../../core/limits.ts";
import { ANONYMOUS_MAJOR, anonymousId, type DeviceNumber, linuxDeviceId } from "./device_id.ts";

/** Which of its two jobs an anonymous device does. */
export type AnonymousKind = "simple" | "multi";

/** What an anonymous device is, apart from the numbers it has handed out. */
export class AnonymousIdentity implements DeviceNumber {
  readonly id: string;
  readonly major = ANONYMOUS_MAJOR;
  /** The number that stat() reports for files on this device. */
  readonly deviceId: bigint;

  /** @param name What people call it; not unique */
  constructor(readonly minor: bigint, readonly name: string | undefined) {
    this.id = anonymousId(minor);
    this.deviceId = linuxDeviceId(this);
  }
}

/** A device that hands out inode numbers 1, 2, 3, … (seed 000, Device). */
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
   * The inode number that comes next (seed 000, Device.NextIno). It is handed out by
   * {@linkcode take}.
   *
   * @throws {Fault} `inodes-exhausted` where the seed wraps to 0
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

  /** Hands out what {@linkcode next} has named. */
  take(inode: bigint): void {
    this.#last = inode;
  }
}
