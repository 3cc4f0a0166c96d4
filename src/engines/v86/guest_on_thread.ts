import type { AbiClock } from "../lguest/guest_abi.ts";
import type { RegisterChanges, Registers } from "../../core/ports/guest_registers.ts";
import type { GuestExit, GuestIdentity, GuestImage, Rings } from "../../core/ports/guest_engine.ts";
import type { SerialLine } from "../../core/ports/pc_devices.ts";

/** Name of this engine in images and answers. */
export const ENGINE = "v86";

/** What a guest needs of the thread it is on. */
export interface GuestHost extends AbiClock {
  /** Lets messages in; waits until `wake`, or for `ms`. */
  idle(ms: number): Promise<void>;
  wake(): void;
  /** Attached addresses were notified. */
  notified(rings: Rings): void;
}

/** A guest of either kind on v86, inside its Worker. */
export interface GuestOnThread {
  readonly registers: Registers;
  run(budgetMs: number): Promise<GuestExit>;
  interrupt(): void;
  raise(line: number): void;
  attach(address: number): void;
  detach(address: number): void;
  identify(identity: GuestIdentity): void;
  set(changes: RegisterChanges): void;
  read(at: number, length: number): Uint8Array<ArrayBuffer>;
  write(at: number, bytes: Uint8Array): void;
  capture(): GuestImage | Promise<GuestImage>;
  /** Resolves when the guest's end of the line has taken all bytes. */
  send(line: SerialLine, bytes: Uint8Array): Promise<void>;
  /** What was told of a line has been taken. */
  heard(line: SerialLine): void;
}
