import { Fault } from "../../core/faults.ts";
import { STREAM_PART_BYTES } from "../../core/limits.ts";
import type { AttributeChange, BackingAttributes } from "../../core/ports/backing_file.ts";
import type { Clock } from "../../core/ports/clock.ts";
import { minOf, type Range } from "../../core/segments.ts";
import { Serial } from "../../core/serial.ts";
import type { Backing } from "../backing/backing.ts";
import type { ByteSource } from "../backing/byte_source.ts";
import { requirePath } from "../backing/open_fault.ts";
import type { Counters } from "../cache/counters.ts";
import { WHOLE } from "../ranges/dirty_set.ts";
import { LastFailure } from "../writeback/last_failure.ts";
import { type TimeName, TouchedTimes } from "../writeback/touched_times.ts";
import { ChangeCount } from "./change_count.ts";
import {
  type ChangeOptions,
  type EditedContent,
  type Editor,
  requireOffsets,
  writeAll,
  writeAllOrUndo,
  type WritePart,
} from "./editor.ts";
import type { Evicted, InodeAttributes, InodeHead, InodeStats, PageRun } from "./inode_facts.ts";
import { OpenInode, type OpenInodeParts } from "./open_inode.ts";

/** What an inode is put together from, in either mode. */
export interface InodeParts extends OpenInodeParts {
  readonly backing: Backing;
  readonly counters: Counters;
  readonly clock: Clock;
  /** Reads leave the access time alone. */
  readonly noatime: boolean;
  /** Whether a translation in mode `host` covers no more than one fill window. */
  readonly limitTranslation: boolean;
}

/**
 * An open file, shared by its holders (gVisor's CachingInodeOperations, docs/inodes.md#3). Here is
 * what both cache modes have in common (docs/inodes.md#1).
 */
export abstract class CachingInode extends OpenInode {
  protected readonly backing: Backing;
  protected readonly clock: Clock;
  protected readonly counters: Counters;
  protected readonly lastFailure: LastFailure;
  protected readonly times = new TouchedTimes();
  protected readonly versions = new ChangeCount();
  /** Runs edits one at a time, since the host may take one write in several parts. */
  protected readonly writes = new Serial();

  readonly #content: EditedContent = {
    size: () => this.size,
    read: (into, offset) => this.fetch(into, offset),
  };

  constructor(parts: InodeParts) {
    super(parts);
    this.backing = parts.backing;
    this.clock = parts.clock;
    this.counters = parts.counters;
    this.lastFailure = new LastFailure(parts.counters, ({ code, message }) => {
      this.emit({ kind: "inode.failed", reason: message, data: { code } });
    });
  }

  /** Size in bytes. */
  abstract readonly size: bigint;
  protected abstract readonly dirtyBytes: bigint;
  protected abstract readonly residentBytes: bigint;
  /** Size and entity tag at the same moment. */
  abstract head(): InodeHead;
  /** The cached pages in ascending order; none in mode `host`. */
  abstract pages(): readonly PageRun[];

  get etag(): InodeHead["etag"] {
    return this.head().etag;
  }

  attributes(): InodeAttributes {
    return { ...this.times.over(this.backing.attributes()), dirty: this.times.names };
  }

  /** Why the last write-back or sync failed, until one succeeds. */
  get failure(): Fault | undefined {
    return this.lastFailure.fault;
  }

  stats(): InodeStats {
    return {
      ...this.counters.counts(),
      residentBytes: this.residentBytes,
      dirtyBytes: this.dirtyBytes,
      mappedBytes: this.maps.mappedBytes,
      referencedBytes: this.maps.referencedBytes,
      mappedChunks: this.maps.chunks,
      holders: this.holders.size,
    };
  }

  /**
   * Reads what is in memory, without waiting.
   *
   * @returns How many bytes there were up to the end of the content; `undefined` when not all of
   * them are in memory
   */
  abstract readNonblocking(into: Uint8Array<ArrayBuffer>, offset: bigint): number | undefined;
  /** Whether all bytes of ranges are in a cache of ours. */
  abstract hasInMemory(ranges: readonly Range[]): boolean;
  /** Reads, from the backing file where it must. Returns as {@linkcode read}. */
  protected abstract fetch(into: Uint8Array<ArrayBuffer>, offset: bigint): Promise<number>;

  /**
   * Reads up to the end of the content.
   *
   * @returns How many bytes there were
   * @throws {Fault} `backing-failed`, `backing-changed`
   */
  read(into: Uint8Array<ArrayBuffer>, offset: bigint): Promise<number> {
    return this.gate.pass(async () =>
      this.readNonblocking(into, offset) ?? await this.fetch(into, offset)
    );
  }

  /**
   * A range of the content in parts that fit into memory, each read when it is asked for.
   *
   * @throws {Fault} `inode-stale` when the content changes on the way and had an entity tag, or
   * ends too early; and as {@linkcode read}
   */
  async *parts({ start, end }: Range): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const { etag } = this;
    for (let at = start; at < end;) {
      const part = new Uint8Array(Number(minOf(BigInt(STREAM_PART_BYTES), end - at)));
      const read = await this.read(part, at);
      if (read < part.byteLength || etag !== undefined && etag !== this.etag) {
        throw new Fault(
          "inode-stale",
          `Cannot go on sending inode ${this.identity.id} at offset ${at}: it changed on the way`,
        );
      }
      yield part;
      at += BigInt(read);
    }
  }

  /**
   * Writes all bytes, and answers the entity tag that this left. When it resolves they outlive the process; they outlive the host's power when
   * the write is durable, or after a {@linkcode sync} (docs/inodes.md#6).
   *
   * @throws {Fault} `inode-read-only`, `value-not-allowed` past the largest offset, `inode-stale`,
   * `cache-full`, `backing-failed`, `backing-full`, `backing-changed`, `state-unavailable`
   */
  async write(
    bytes: Uint8Array<ArrayBuffer> | ByteSource,
    offset: bigint,
    options: ChangeOptions = {},
  ): Promise<InodeHead["etag"]> {
    this.requireWritable();
    requireOffsets(offset, BigInt(bytes.byteLength));
    return await this.#enter(() =>
      bytes.byteLength === 0
        ? this.#matching(options)
        : this.edit((editor) => writeAll(this.#content, editor, bytes, offset), options)
    );
  }

  /**
   * Writes several parts, all of them or none.
   *
   * @throws {Fault} as {@linkcode write}
   */
  async writeParts(
    parts: readonly WritePart[],
    options: ChangeOptions = {},
  ): Promise<InodeHead["etag"]> {
    for (const { offset, bytes } of parts) requireOffsets(offset, BigInt(bytes.byteLength));
    return await this.#enter(() =>
      this.edit((editor) => writeAllOrUndo(this.#content, editor, parts), options)
    );
  }

  /**
   * Makes these bytes the whole content. This also ends a conflict (docs/inodes.md#7).
   *
   * @throws {Fault} as {@linkcode write}
   */
  replace(
    bytes: Uint8Array<ArrayBuffer> | ByteSource,
    options: ChangeOptions = {},
  ): Promise<InodeHead["etag"]> {
    return this.#enter(() =>
      this.edit(async (editor) => {
        // Found out before a byte of the old content is gone.
        await editor.reserve(BigInt(bytes.byteLength));
        await writeAll(this.#content, editor, bytes, 0n);
        await editor.truncate(BigInt(bytes.byteLength));
        await editor.endConflict();
      }, options)
    );
  }

  /**
   * Sets the size and attributes, in the backing file too. What was set before a failure stays.
   *
   * @throws {Fault} as {@linkcode write}; `file-not-permitted`
   */
  async setAttributes(
    { sizeBytes, ...change }: AttributeChange & { readonly sizeBytes?: bigint | undefined },
    options: ChangeOptions = {},
  ): Promise<void> {
    if (sizeBytes !== undefined) requireOffsets(0n, sizeBytes);
    await this.#enter(() =>
      this.edit(async (editor) => {
        if (sizeBytes !== undefined) await editor.truncate(sizeBytes);
        if (Object.values(change).some((value) => value !== undefined)) await editor.change(change);
      }, options)
    );
    this.emit({ kind: "inode.changed", data: { sizeBytes, ...change } });
  }

  /**
   * Reserves storage for a range, and grows the content to the end of it.
   *
   * @throws {Fault} as {@linkcode write}; `value-not-allowed` for an empty range
   */
  async allocate(offset: bigint, length: bigint): Promise<void> {
    requireOffsets(offset, length);
    if (length === 0n) {
      throw new Fault("value-not-allowed", "Cannot allocate 0 bytes: name at least one");
    }
    await this.#enter(() => this.edit((editor) => editor.allocate(offset, length)));
    this.emit({ kind: "inode.allocated", data: { offset, length } });
  }

  /** Sets cached times to now. They count as dirty until a sync (docs/inodes.md#3). */
  touch(names: readonly TimeName[]): void {
    this.gate.requireOpen();
    this.requireWritable();
    this.times.touch(names, this.clock.wallNs());
  }

  /**
   * Gives the file another name below its root.
   *
   * @throws {Fault} `outside-root`, `file-exists`, `file-not-permitted`, `value-not-allowed`
   */
  async link(path: string): Promise<void> {
    requirePath(path);
    await this.#enter(() => this.changeNames(() => this.backing.link(path)));
    this.emit({ kind: "inode.linked", data: { path } });
  }

  /**
   * Removes a name of the file. The file stays open.
   *
   * @throws {Fault} `file-not-found` for a name that is not its own, and as {@linkcode link}
   */
  async unlink(path: string): Promise<void> {
    requirePath(path);
    await this.#enter(() => this.changeNames(() => this.backing.unlink(path)));
    this.emit({ kind: "inode.unlinked", data: { path } });
  }

  /**
   * Resolves when everything that was written is on stable storage.
   *
   * @throws {Fault} `backing-changed`, `backing-failed`, `backing-full`: what is in the cache
   * stays dirty, and the next sync tries again
   */
  async sync(): Promise<void> {
    await this.gate.pass(() => this.syncAll());
    this.emit({ kind: "inode.synced" });
  }

  /** Drops the cached pages that ranges touch, after their write-back. */
  async evict(ranges: readonly Range[] = [WHOLE]): Promise<Evicted> {
    const { bytes, refused } = await this.gate.pass(async () => {
      const all: Evicted[] = [];
      for (const range of ranges) all.push(await this.evictRange(range));
      return {
        bytes: all.reduce((sum, { bytes }) => sum + bytes, 0n),
        refused: all.flatMap(({ refused }) => refused),
      };
    });
    this.emit({ kind: "inode.evicted", data: { bytes, refused: refused.length } });
    return { bytes, refused };
  }

  /**
   * Looks at the backing file and takes over a foreign change.
   *
   * @returns Whether there was one
   * @throws {Fault} `backing-changed` when bytes are dirty, `backing-failed`
   */
  abstract revalidate(): Promise<boolean>;

  /**
   * Opens the file again and ends all translations (gVisor's NotifyChangeFD).
   *
   * @param accept Sees what the path leads to now, and may throw to leave everything as it is
   * @throws {Fault} `backing-changed` for another file below dirty bytes, and of an open that fails
   */
  async reopen(accept: (found: BackingAttributes) => void = () => {}): Promise<void> {
    await this.gate.pass(() => this.writes.run(() => this.reopenFile(accept)));
    this.mappings.invalidate(WHOLE, "reopened");
    this.emit({ kind: "inode.reopened" });
  }

  /**
   * Ends all translations, writes back and drops the whole cache (gVisor's InvalidateUnsavable).
   *
   * @param discard Dirty bytes are dropped instead: the way out when they can never be written back
   * @throws {Fault} of the write-back: the cache stays as it is
   */
  async invalidate(discard = false): Promise<void> {
    this.mappings.invalidate(WHOLE, "invalidated");
    const dirtyBytes = await this.gate.pass(() => this.dropAll(discard));
    if (dirtyBytes > 0n) {
      this.emit({ kind: "inode.discarded", reason: "on request", data: { dirtyBytes } });
    }
  }

  /**
   * Runs an edit after all earlier ones. When it resolves its bytes outlive the process.
   *
   * @returns The entity tag that it left, before any later edit
   */
  protected async edit(
    change: (editor: Editor) => Promise<void>,
    options: ChangeOptions = {},
  ): Promise<InodeHead["etag"]> {
    const { isDurable = false } = options;
    const left = await this.writes.run(async () => {
      this.#matching(options);
      await this.versions.during(() => this.apply(change, isDurable));
      return this.etag;
    });
    if (isDurable) await this.syncData();
    return left;
  }

  /** The entity tag of a version, which no other content of this inode has. */
  protected tagOf(version: string): string {
    return `"${this.identity.id}-${version}"`;
  }

  /** Makes an edit with an editor of this mode. No other edit is under way. */
  protected abstract apply(
    change: (editor: Editor) => Promise<void>,
    isDurable: boolean,
  ): Promise<void>;
  /** Brings the bytes of edits to stable storage. */
  protected abstract syncData(): Promise<void>;
  /** Brings everything to stable storage. */
  protected abstract syncAll(): Promise<void>;
  protected abstract evictRange(range: Range): Promise<Evicted>;
  /** Changes the names of the file, which the host dates, without taking that for foreign. */
  protected abstract changeNames(change: () => Promise<void>): Promise<void>;
  protected abstract reopenFile(accept: (found: BackingAttributes) => void): Promise<void>;
  /** Drops the cache, after its write-back or not. Returns how many dirty bytes were lost. */
  protected abstract dropAll(discard: boolean): Promise<bigint>;

  /** Lets an operation in that changes the file. */
  #enter<Result>(operation: () => Promise<Result> | Result): Promise<Result> {
    return this.gate.pass(async () => {
      this.requireWritable();
      return await operation();
    });
  }

  /** The entity tag, which the caller wants to be one of some, or none of others. */
  #matching({ ifMatch, ifNoneMatch }: ChangeOptions): InodeHead["etag"] {
    const { etag } = this;
    const isWanted = ifMatch === undefined || ifMatch.includes("*") ||
      etag !== undefined && ifMatch.includes(etag);
    const isUnwanted = ifNoneMatch !== undefined &&
      (ifNoneMatch.includes("*") || etag !== undefined && ifNoneMatch.includes(etag));
    if (isWanted && !isUnwanted) return etag;
    const named = (isUnwanted ? ifNoneMatch : ifMatch ?? []).join(", ").slice(0, 200);
    throw new Fault(
      "inode-stale",
      `Cannot change inode ${this.identity.id}: it is ${
        etag ?? "being changed"
      }, and the request ` +
        `wants ${isUnwanted ? "none of" : "one of"} ${named}`,
    );
  }
}
