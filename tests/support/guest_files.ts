import type { GuestIdentity } from "../../src/core/ports/guest_engine.ts";
import type { GuestFiles } from "../../src/core/ports/guest_files.ts";
import type { EnteredScope } from "../../src/guests/create_guest.ts";

const noInode = (id: string): never => {
  throw new Error(`inode ${id} is not there`);
};

/** Files of guests without disks and shares. */
export function guestFiles(contentOf: (inode: string) => Uint8Array = noInode): GuestFiles {
  return {
    // deno-lint-ignore require-await -- an unknown inode must reject
    readAll: async (inode) => contentOf(inode),
    openDisks: () => Promise.resolve([]),
    reopenDisks: () => Promise.resolve([]),
    share: (root) => {
      throw new Error(`root ${root} is not there`);
    },
  };
}

/** Enters a scope that shows this, for `Guests.create()`. */
export function showing(identity: GuestIdentity, scope = "vm-7"): () => Promise<EnteredScope> {
  return () => Promise.resolve({ scope, identity });
}
