import type { EngineName } from "./engines.ts";
import type { Linux } from "./linux/linux.ts";
import type { MachineParts } from "./linux/linux_machine.ts";
import type { Program } from "./program.ts";

/** A guest to make. */
export interface GuestSpec {
  /** A name that is free, or one of {@linkcode Guests.newId}. */
  readonly id: string;
  /** The scope whose generation the guest shows. */
  readonly scope: string;
  readonly engine: EngineName;
  /** How long it outlives the last sign of its owner; for ever when it does not say. */
  readonly leaseMs?: number | undefined;
  /** What it begins from: a program, a kernel, or a snapshot by its id. */
  readonly from:
    | { readonly program: Program }
    | { readonly linux: Linux }
    | { readonly snapshot: string };
  /** What a Linux guest is plugged into; taken over by the guest, also when it is not made. */
  readonly machine?: MachineParts | undefined;
}
