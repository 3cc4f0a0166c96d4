import type { BackingAttributes } from "../../core/ports/backing_file.ts";
import type { Target } from "../../core/rights.ts";
import type { Range } from "../../core/segments.ts";
import type { InodeModes } from "../backing/opening.ts";
import type { Counts } from "../cache/counters.ts";
import type { PAGE_STATES } from "../ranges/page_states.ts";
import type { DirtyName } from "../writeback/touched_times.ts";

/** How an inode was opened. */
export interface InodeIdentity extends InodeModes {
  /** Stands for the inode as long as it is open. */
  readonly id: string;
  /** Name of its root; none for a remote file. */
  readonly root?: string;
  /** The path by which it was first opened, or the URL. */
  readonly path: string;
}

/** What a right to an inode is needed on: its root, or the address of a remote file. */
export function targetOf({ root, path }: Pick<InodeIdentity, "root" | "path">): Target {
  if (root !== undefined) return { kind: "roots", name: root };
  // As it is fetched: a path with dots must not fit the pattern of another folder.
  return { kind: "remotes", name: URL.parse(path)?.href ?? path };
}

/** The content of an inode at one moment. */
export interface InodeHead {
  /** Size in bytes. */
  readonly size: bigint;
  /**
   * A strong validator, quoted; `undefined` while the content is being changed, or may change
   * unseen through a mapping.
   */
  readonly etag: string | undefined;
}

/** The attributes of an inode, and which of them are newer than in the backing file. */
export interface InodeAttributes extends BackingAttributes {
  readonly dirty: readonly DirtyName[];
}

/** The metrics of one inode. */
export interface InodeStats extends Counts {
  readonly residentBytes: bigint;
  readonly dirtyBytes: bigint;
  readonly mappedBytes: bigint;
  readonly referencedBytes: bigint;
  /** Chunks of 2 MiB in which something is mapped. */
  readonly mappedChunks: number;
  readonly holders: number;
}

/** A run of cached pages in one state. */
export interface PageRun extends Range {
  readonly state: typeof PAGE_STATES[number];
  /** Whether they are mapped or referenced, and so stay in the cache. */
  readonly isMapped: boolean;
}

/** What an evict did. */
export interface Evicted {
  readonly bytes: bigint;
  /** What had to stay in the cache, and why. */
  readonly refused: readonly { readonly range: Range; readonly why: string }[];
}
