import type { DiskSource } from "../core/ports/guest_files.ts";
import type { Caller, Permission } from "../core/rights.ts";
import type { CreateGuest } from "../guests/create_guest.ts";
import type { Guests } from "../guests/guests.ts";
import type { SnapshotCaller } from "../guests/snapshots/snapshots.ts";
import { targetOf } from "../inodes/content/inode_facts.ts";
import { inodeNotFound } from "../inodes/content/inode_gate.ts";
import type { InodeStore } from "../inodes/store/store.ts";

/** Where what a guest begins from is looked up. */
interface Sources {
  readonly inodes: InodeStore;
  readonly guests: Guests;
}

/**
 * Refuses whoever may not have what a guest begins from: through the guest its maker reads the
 * inodes and the root that it names, and what its snapshot remembers (docs/access.md#7).
 *
 * @throws {Fault} `not-permitted`; `inode-not-found`, `snapshot-not-found` for what the caller may
 * not know of; `not-owner`
 */
export async function requireSources(
  { bare, linux, snapshot }: CreateGuest,
  asker: SnapshotCaller,
  { inodes, guests }: Sources,
): Promise<void> {
  const { caller } = asker;
  for (const { inode } of bare?.load ?? []) {
    if (inode !== undefined) requireInode(inode, caller, inodes);
  }
  if (linux !== undefined) {
    const { kernel, initrd, disks, share } = linux;
    for (const id of [kernel, initrd, ...disks.map(({ inode }) => inode)]) {
      if (id !== undefined) requireInode(id, caller, inodes);
    }
    if (share !== undefined) caller.require("read", { kind: "roots", name: share.root });
  }
  if (snapshot === undefined) return;
  await guests.snapshots.require(snapshot, "guest", asker);
  const { machine } = await guests.snapshots.get(snapshot);
  for (const { source } of machine?.disks ?? []) requireSource(source, caller);
  if (machine?.share !== undefined) caller.require("read", { kind: "roots", name: machine.share });
}

function requireInode(id: string, caller: Caller, inodes: InodeStore): void {
  const inode = inodes.find(id);
  if (inode === undefined || !caller.may("read", targetOf(inode.identity))) throw inodeNotFound(id);
}

function requireSource(source: DiskSource, caller: Caller): void {
  caller.require("read", targetOf(source));
}

/**
 * What a guest does to a scope that is there already: a clone bumps it, a Linux guest gives it a
 * watcher, and any guest shows its generation.
 */
export function scopeRight({ snapshot, linux }: CreateGuest): Permission {
  if (snapshot !== undefined) return "bump";
  return linux === undefined ? "read" : "watch";
}
