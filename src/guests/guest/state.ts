import type { Errno } from "../../core/errno.ts";

/** `bare` speaks the guest ABI; `linux` is an unmodified kernel on a PC (docs/guests.md#kinds). */
export const GUEST_KINDS = ["bare", "linux"] as const;
/** A kind of guest. */
export type GuestKind = typeof GUEST_KINDS[number];

/** `ready` can run, `running` does, `paused` may be snapshotted, `dead` is so for good. */
export const GUEST_STATES = ["ready", "running", "paused", "dead"] as const;
/** What a guest does. */
export type GuestState = typeof GUEST_STATES[number];

/** Why a guest is dead, and the errno that lguest's launcher would read. */
export interface GuestDeath {
  readonly reason: string;
  readonly errno: Errno;
}
