import type { Fault } from "../../core/faults.ts";
import type { AttributeChange, BackingAttributes } from "../../core/ports/backing_file.ts";
import type { Range } from "../../core/segments.ts";
import type { Backing } from "../backing/backing.ts";
import type { PAGE_STATES } from "../ranges/page_states.ts";
import type { DirtyName, TimeName } from "../writeback/touched_times.ts";
import type { Translated, TranslateRequest } from "../mapping/translation.ts";

/** The attributes of an inode, and which of them are newer than in the backing file. */
export interface ContentAttributes extends BackingAttributes {
  readonly dirty: readonly DirtyName[];
}

/** What an evict did. */
export interface Evicted {
  readonly bytes: bigint;
  /** What had to stay in the cache, and why. */
  readonly refused: readonly { readonly range: Range; readonly why: string }[];
}

/** A run of cached pages in one state. */
export interface PageRun extends Range {
  readonly state: typeof PAGE_STATES[number];
  /** Whether they are mapped or referenced: they stay in the cache. */
  readonly isMapped: boolean;
}

/** Bytes and where they go. */
export interface WritePart {
  readonly offset: bigint;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Changes content while nobody else does. */
export interface Editor {
  /** Writes all bytes. */
  write(bytes: Uint8Array<ArrayBuffer>, offset: bigint): Promise<void>;
  /** Sets the size: cuts, or fills up with zeros. */
  truncate(size: bigint): Promise<void>;
  /** Reserves storage, and extends the content to the end of the range if it is shorter. */
  allocate(offset: bigint, length: bigint): Promise<void>;
  /** Sets attributes in the backing file. */
  change(change: AttributeChange): Promise<void>;
  /** Says that the whole content is new, so that no foreign change is below it. */
  endConflict(): Promise<void>;
}

/** How content is edited. */
export interface EditOptions {
  /** Throws to refuse the edit. It is called once no other edit is under way. */
  readonly require?: (() => void) | undefined;
  /** Whether the edit is on stable storage when it resolves. */
  readonly isDurable?: boolean | undefined;
}

/** What content is at one moment. */
export interface ContentHead {
  /** Size in bytes. */
  readonly size: bigint;
  /**
   * Differs whenever the content does, as far as Innkeeper can know. `undefined` while the content is
   * being changed, or may be changed unseen through a mapping.
   */
  readonly version: string | undefined;
}

/** The bytes of an open inode, in one of the cache modes (docs/inodes.md#1). */
export interface Content {
  readonly backing: Backing;
  /** Size in bytes. */
  readonly size: bigint;
  /** What a read begins with, at one moment. */
  head(): ContentHead;
  /** Bytes of cached pages, and the dirty ones among them. */
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
  readNonblocking(into: Uint8Array<ArrayBuffer>, offset: bigint): number | undefined;
  /** Reads, waiting for the backing file where it must. Returns as {@linkcode readNonblocking}. */
  read(into: Uint8Array<ArrayBuffer>, offset: bigint): Promise<number>;
  /** Runs an edit after all earlier ones. When it resolves its bytes outlive the process. */
  edit(change: (editor: Editor) => Promise<void>, options?: EditOptions): Promise<void>;
  /** Sets cached times to now, without asking the backing file. */
  touch(names: readonly TimeName[]): void;
  /** Resolves when all that was written before is on stable storage. */
  sync(): Promise<void>;
  /** Writes dirty bytes back, not necessarily to stable storage. */
  writeBack(range: Range): Promise<void>;
  /** Drops cached pages that a range touches, after their write-back. */
  evict(range: Range): Promise<Evicted>;
  /**
   * Looks whether somebody else changed the backing file, and takes that over if it may.
   *
   * @returns Whether it was changed
   */
  revalidate(): Promise<boolean>;
  /** Opens the backing file again. `accept` sees it first and may throw to leave all as it is. */
  reopen(accept: (found: BackingAttributes) => void): Promise<void>;
  /**
   * Writes dirty bytes back and drops the whole cache.
   *
   * @param discard Dirty bytes are dropped instead
   * @returns How many dirty bytes were dropped
   */
  invalidate(discard: boolean): Promise<bigint>;
  /** Says where bytes are for whoever maps them. They stay there as long as `holder` has them. */
  translate(request: TranslateRequest, holder: string, require: () => void): Promise<Translated>;
  /** Lets ranges that no mapping has any more become clean again. */
  unmapped(ranges: readonly Range[]): void;
  /** The cached pages in ascending order. */
  pages(): readonly PageRun[];
  /** Closes everything. No call may be under way. */
  close(): Promise<void>;
}
