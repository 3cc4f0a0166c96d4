import type { BackingAttributes } from "../core/ports/backing_file.ts";
import type { Fault } from "../core/faults.ts";
import type { Range } from "../core/segments.ts";

/** The attributes of an inode, and which of them are newer than in the backing file. */
export interface ContentAttributes extends BackingAttributes {
  readonly dirty: readonly ("size" | "modificationTime" | "statusChangeTime")[];
}

/** What an evict did. */
export interface Evicted {
  readonly bytes: bigint;
  /** What had to stay in the cache, and why. */
  readonly refused: readonly { readonly range: Range; readonly why: string }[];
}

/** A run of cached pages in one state. */
export interface PageRun extends Range {
  readonly state: "clean" | "dirty" | "kept-dirty";
}

/** The bytes of an open inode, in one of the cache modes (spec decision 1). */
export interface Content {
  /** Size in bytes. */
  readonly size: bigint;
  /**
   * Differs whenever the content does, as far as Innkeeper can know; `undefined` while it is being
   * changed.
   */
  readonly version: string | undefined;
  /** Bytes of cached pages, and of dirt in them. */
  readonly residentBytes: bigint;
  readonly dirtyBytes: bigint;
  /** Why the last write-back or sync failed, until one succeeds. */
  readonly failure: Fault | undefined;

  attributes(): ContentAttributes;
  /**
   * Reads without waiting.
   *
   * @returns How many bytes there were up to the end of the content; `undefined` when some of them
   * are not in memory
   */
  readNow(into: Uint8Array<ArrayBuffer>, offset: bigint): number | undefined;
  /** Reads, waiting for the backing file where it must. Returns as {@linkcode readNow}. */
  read(into: Uint8Array<ArrayBuffer>, offset: bigint): Promise<number>;
  /** Writes all bytes. When it resolves they outlive the process. */
  write(bytes: Uint8Array<ArrayBuffer>, offset: bigint): Promise<void>;
  /** Makes these bytes the whole content, whatever it was. */
  replace(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Resolves when all that was written before is on stable storage. */
  sync(): Promise<void>;
  /** Writes dirt back, without asking for stable storage. */
  writeBack(range: Range): Promise<void>;
  /** Drops cached pages that a range touches, after their write-back. */
  evict(range: Range): Promise<Evicted>;
  /** Looks whether the backing file was changed from outside, and takes that over if it may. */
  revalidate(): Promise<void>;
  /** The cached pages in ascending order. */
  pages(): readonly PageRun[];
  /** Lets go of everything. No call may be under way. */
  close(): Promise<void>;
}
