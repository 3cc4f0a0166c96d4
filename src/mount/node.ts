import type { SavedFile } from "./journal.ts";
import type { RequestHead } from "./protocol/request.ts";

/** A result that is there now or later. */
export type Outcome<Value> = Value | Promise<Value>;

/** Who calls. */
export interface Call extends Pick<RequestHead, "uid" | "gid" | "pid"> {
  /** By which the request is known when it comes again after a restart. */
  readonly unique: bigint;
  /** Aborted when the caller does not wait any longer, by a signal for one. */
  readonly signal: AbortSignal;
}

/** How a file is opened. */
export interface OpenCall extends Call {
  /** The node, which several programs have open together where it is bind mounted. */
  readonly node: bigint;
  /** Whether the caller has just looked the node up, and nobody has opened it before. */
  readonly isFresh: boolean;
  /** As for open(2). */
  readonly flags: number;
  /** To be called when the open file may have become ready: whoever polls it looks again. */
  readonly wake: () => void;
  /** To be called when whoever has the file open has confirmed an epoch. */
  readonly acked: (epoch: bigint) => void;
}

/** An open file that goes on in another process. */
export interface Reopening extends Pick<OpenCall, "node" | "wake" | "acked"> {
  readonly saved: SavedFile;
}

/** What is read. */
export interface ReadCall extends Call {
  readonly offset: bigint;
  readonly size: number;
  readonly nonblocking: boolean;
}

/** What a program has open. Whatever it does not have is refused as the kernel refuses it. */
export interface OpenFile {
  /** The backing file that maps show; without one nothing can be mapped. */
  readonly backing?: number | undefined;
  /** What is to be known of it beside its backing file, so that another process can go on with it. */
  saved?(): SavedFile;
  read(call: ReadCall): Outcome<Uint8Array>;
  /** @returns How many bytes were taken */
  write?(bytes: Uint8Array<ArrayBuffer>, call: Call): Outcome<number>;
  /** @returns What ioctl(2) returns */
  ioctl?(command: number, argument: bigint, call: Call): Outcome<number>;
  /** What it is ready for, as poll(2) has it. A file without this is always ready. */
  poll?(): number;
  close?(): void;
  /** The mount has died: whoever has the file open cannot use it, and has not closed it. */
  lose?(): void;
}

interface Entry {
  /** From the root of the mount; `/` is the root. */
  readonly path: string;
  /** Nanoseconds since 1970. */
  timeNs(): bigint;
}

/** A folder of the mount. */
export interface MountedFolder extends Entry {
  readonly kind: "folder";
  /** @returns `undefined` when there is nothing of this name */
  lookup(name: string, call: Call): MountedEntry | undefined;
  /** What a look-up by somebody who may do everything leads to. */
  find(name: string): MountedEntry | undefined;
  list(call: Call): readonly { readonly name: string; readonly kind: MountedEntry["kind"] }[];
}

/** A file of the mount. */
export interface MountedFile extends Entry {
  readonly kind: "file";
  readonly permissions: number;
  /** Each look-up gets a node of its own, so that no two programs share a page (docs/mount.md#3). */
  readonly ownNodes?: true;
  size(): number;
  open(call: OpenCall): Outcome<OpenFile>;
  /** Goes on with a file that an earlier process has opened. */
  reopen(reopening: Reopening): Outcome<OpenFile>;
}

/** What a name leads to. */
export type MountedEntry = MountedFolder | MountedFile;
