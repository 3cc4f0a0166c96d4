import type { EngineName } from "../guests/engines.ts";
import type { DiskRequest } from "./guest_disks.ts";
import type { CreatedGuest, Guests } from "../guests/guests.ts";

/** A piece of a guest's first memory: the whole of an inode, or these bytes. */
export type GuestLoad =
  | { readonly at: bigint; readonly inode: string }
  | { readonly at: bigint; readonly bytes: Uint8Array };

/** A Linux guest that a caller wants; files are the ids of inodes. */
export interface LinuxGuest {
  readonly memoryMiB: number;
  readonly kernel: string;
  readonly initrd: string | undefined;
  readonly commandLine: string | undefined;
  readonly disks: readonly DiskRequest[];
  /** A root that the guest sees over 9p, read-only. */
  readonly share: { readonly root: string } | undefined;
}

/** A guest that a caller wants. */
export interface CreateGuest {
  /** A fresh id when there is none. */
  readonly name: string | undefined;
  readonly engine: EngineName;
  /** The scope whose generation it shows; one of its own when there is none. */
  readonly scope: string | undefined;
  /** How long it outlives the last sign of its owner; for ever when there is none. */
  readonly leaseMs?: number | undefined;
  readonly from:
    | {
      readonly program: {
        readonly pfnLimit: number;
        readonly start: bigint;
        readonly load: readonly GuestLoad[];
      };
    }
    | { readonly linux: LinuxGuest }
    | { readonly snapshot: string };
}

/** Guests as the routes see them: making one joins inodes, generations and guests. */
export interface GuestHouse {
  readonly guests: Guests;
  /**
   * Reads what is to be loaded, bumps the scope of a clone, and makes the guest.
   *
   * @param by Who asks, for the history of the scope
   */
  createGuest(command: CreateGuest, by: string): Promise<CreatedGuest>;
}
