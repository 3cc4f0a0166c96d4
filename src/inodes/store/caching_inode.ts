import { Fault } from "../../core/faults.ts";
import { FILE_OFFSET_MAX, STREAM_PART_BYTES } from "../../core/limits.ts";
import type { AttributeChange, BackingAttributes } from "../../core/ports/backing_file.ts";
import { minOf, type Range } from "../../core/segments.ts";
import { type ByteSource, sourceOf } from "../backing/byte_source.ts";
import type {
  Content,
  ContentAttributes,
  Editor,
  Evicted,
  PageRun,
  WritePart,
} from "../content/content.ts";
import type { Counters, Counts } from "../cache/counters.ts";
import { WHOLE } from "../ranges/dirty_set.ts";
import type { MappedPages } from "../mapping/mapped_pages.ts";
import { requirePath } from "../backing/open_fault.ts";
import type { InodeModes } from "../backing/opening.ts";
import type { TimeName } from "../writeback/touched_times.ts";
import { writeAllOrUndo } from "../content/write_all_or_undo.ts";
import { InodeGate } from "./inode_gate.ts";
import { type EmitFact, InodeMappings } from "./inode_mappings.ts";

/** What an inode is, beside its content. */
export interface InodeIdentity extends InodeModes {
  /** Stands for the inode as long as it is open. */
  readonly id: string;
  /** Name of its root; none for a remote one. */
  readonly root?: string;
  /** The path that it was first opened by, or the URL. */
  readonly path: string;
}

/** What the content of an inode is at one moment. */
export interface InodeHead {
  /** Size in bytes. */
  readonly size: bigint;
  /**
   * A strong validator, quoted; `undefined` while the content is being changed, or may be changed
   * unseen through a mapping.
   */
  readonly etag: string | undefined;
}

/** The statistics of one inode. */
export interface InodeStats extends Counts {
  readonly residentBytes: bigint;
  readonly dirtyBytes: bigint;
  readonly mappedBytes: bigint;
  readonly referencedBytes: bigint;
  /** Chunks of 2 MiB in which something is mapped. */
  readonly mappedChunks: number;
  readonly holders: number;
}

/** How a change is made. */
export interface ChangeOptions {
  /** Entity tags of which the inode must have one; `*` for any. */
  readonly ifMatch?: readonly string[] | undefined;
  /** Whether it is on stable storage when it resolves. */
  readonly isDurable?: boolean;
}

/** What an inode is put together from. */
interface CachingInodeParts {
  readonly identity: InodeIdentity;
  readonly key: string;
  readonly isHidden: boolean;
  readonly content: Content;
  readonly maps: MappedPages;
  readonly counters: Counters;
  readonly emit: EmitFact;
}

/**
 * An open file, shared by its holders: a gate, and behind it the content and its mappings (gVisor's
 * `CachingInodeOperations`).
 *
 * ```text
 *                    close(): written back                closed
 * open ──▶ closing ─────────────────────────▶ files closed ──▶ (forgotten by the store)
 *  ▲  │       │ the write-back failed               ▲
 *  │  │       ▼                                     │
 *  └──┴── open, with its failure ──── abandon() ────┘  the journal keeps what is dirty
 * ```
 */
export class CachingInode {
  readonly identity: InodeIdentity;
  /** Identifies the file, so that everybody who opens it shares the inode. A reopen can change it. */
  key: string;
  /** Whether only the daemon itself may find it, as with the overlays of guests' disks. */
  readonly isHidden: boolean;
  readonly holders = new Set<string>();
  readonly mappings: InodeMappings;
  readonly #gate: InodeGate;
  readonly #content: Content;
  readonly #maps: MappedPages;
  readonly #counters: Counters;
  readonly #emit: EmitFact;

  constructor(
    { identity, key, isHidden, content, maps, counters, emit }: CachingInodeParts,
  ) {
    this.identity = identity;
    this.key = key;
    this.isHidden = isHidden;
    this.#content = content;
    this.#maps = maps;
    this.#counters = counters;
    this.#emit = emit;
    this.#gate = new InodeGate(identity.id);
    this.mappings = new InodeMappings({
      ...{ gate: this.#gate, content, maps, emit },
      isHostFile: identity.cache === "host",
      requireWritable: () => this.#requireWritable(),
      requireHolder: (holder, action) => this.requireHolder(holder, action),
    });
  }

  /** Size in bytes. */
  get size(): bigint {
    return this.#content.size;
  }

  /** Size and entity tag at one moment. */
  head(): InodeHead {
    const { size, version } = this.#content.head();
    return { size, etag: version === undefined ? undefined : `"${this.identity.id}-${version}"` };
  }

  get etag(): InodeHead["etag"] {
    return this.head().etag;
  }

  /** Why the last write-back or sync failed, until one succeeds. */
  get failure(): Fault | undefined {
    return this.#content.failure;
  }

  attributes(): ContentAttributes {
    return this.#content.attributes();
  }

  stats(): InodeStats {
    return {
      ...this.#counters.counts(),
      residentBytes: this.#content.residentBytes,
      dirtyBytes: this.#content.dirtyBytes,
      mappedBytes: this.#maps.mappedBytes,
      referencedBytes: this.#maps.referencedBytes,
      mappedChunks: this.#maps.chunks,
      holders: this.holders.size,
    };
  }

  /** The cached pages in ascending order; none in the mode `host`. */
  pages(): readonly PageRun[] {
    return this.#content.pages();
  }

  /**
   * Reads what is in memory, without a wait.
   *
   * @returns How many bytes there were up to the end of the content; `undefined` when not all of
   * them are in memory
   */
  readNonblocking(into: Uint8Array<ArrayBuffer>, offset: bigint): number | undefined {
    this.#gate.requireOpen();
    return this.#content.readNonblocking(into, offset);
  }

  /**
   * Reads up to the end of the content.
   *
   * @returns How many bytes there were
   * @throws {Fault} `backing-failed`, `backing-changed`
   */
  read(into: Uint8Array<ArrayBuffer>, offset: bigint): Promise<number> {
    return this.#gate.pass(async () =>
      this.#content.readNonblocking(into, offset) ?? await this.#content.read(into, offset)
    );
  }

  /**
   * A range of the content in parts that fit into memory. Each is read when it is needed.
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
   * Writes all bytes. When it resolves they outlive the process, and the host's power when the
   * write is durable or after a {@linkcode sync}.
   *
   * @throws {Fault} `inode-read-only`, `value-not-allowed` past the largest offset, `inode-stale`,
   * `cache-full`, `backing-failed`, `backing-full`, `backing-changed`, `state-unavailable`
   */
  async write(
    bytes: Uint8Array<ArrayBuffer> | ByteSource,
    offset: bigint,
    options: ChangeOptions = {},
  ): Promise<void> {
    this.#requireWritable();
    requireOffsets(offset, BigInt(bytes.byteLength));
    const isNothing = bytes.byteLength === 0;
    await this.#change(options, (editor) => writeAll(editor, bytes, offset), isNothing);
  }

  /**
   * Writes several parts, all of them or none.
   *
   * @throws {Fault} as {@linkcode write}
   */
  async writeParts(parts: readonly WritePart[], options: ChangeOptions = {}): Promise<void> {
    for (const { offset, bytes } of parts) requireOffsets(offset, BigInt(bytes.byteLength));
    await this.#change(options, (editor) => writeAllOrUndo(this.#content, editor, parts));
  }

  /**
   * Makes these bytes the whole content. This also ends a conflict with a foreign change.
   *
   * @throws {Fault} as {@linkcode write}
   */
  replace(
    bytes: Uint8Array<ArrayBuffer> | ByteSource,
    options: ChangeOptions = {},
  ): Promise<void> {
    return this.#change(options, async (editor) => {
      await writeAll(editor, bytes, 0n);
      await editor.truncate(BigInt(bytes.byteLength));
      await editor.endConflict();
    });
  }

  /**
   * Sets the size and attributes, also in the backing file. What was set before a failure stays.
   *
   * @throws {Fault} as {@linkcode write}; `file-not-permitted`
   */
  async setAttributes(
    { sizeBytes, ...change }: AttributeChange & { readonly sizeBytes?: bigint | undefined },
    options: ChangeOptions = {},
  ): Promise<void> {
    if (sizeBytes !== undefined) requireOffsets(0n, sizeBytes);
    await this.#change(options, async (editor) => {
      if (sizeBytes !== undefined) await editor.truncate(sizeBytes);
      if (Object.values(change).some((value) => value !== undefined)) await editor.change(change);
    });
    this.#emit({ kind: "inode.changed", data: { sizeBytes, ...change } });
  }

  /**
   * Reserves storage for a range, and extends the content to its end if it is shorter.
   *
   * @throws {Fault} as {@linkcode write}; `value-not-allowed` for an empty range
   */
  async allocate(offset: bigint, length: bigint): Promise<void> {
    requireOffsets(offset, length);
    if (length === 0n) {
      throw new Fault("value-not-allowed", "Cannot allocate 0 bytes: name at least one");
    }
    await this.#change({}, (editor) => editor.allocate(offset, length));
    this.#emit({ kind: "inode.allocated", data: { offset, length } });
  }

  /** Sets cached times to now (gVisor's Touch functions). They count as dirty until a sync. */
  touch(names: readonly TimeName[]): void {
    this.#gate.requireOpen();
    this.#content.touch(names);
  }

  /**
   * Gives the file another name below its root.
   *
   * @throws {Fault} `outside-root`, `file-exists`, `file-not-permitted`, `value-not-allowed`
   */
  async link(path: string): Promise<void> {
    requirePath(path);
    await this.#gate.pass(() => {
      this.#requireWritable();
      return this.#content.backing.link(path);
    });
    this.#emit({ kind: "inode.linked", data: { path } });
  }

  /**
   * Removes a name of the file. The file stays open.
   *
   * @throws {Fault} `file-not-found` for a name that is not its own, and as {@linkcode link}
   */
  async unlink(path: string): Promise<void> {
    requirePath(path);
    await this.#gate.pass(() => {
      this.#requireWritable();
      return this.#content.backing.unlink(path);
    });
    this.#emit({ kind: "inode.unlinked", data: { path } });
  }

  /**
   * Resolves when everything written is on stable storage.
   *
   * @throws {Fault} `backing-changed`, `backing-failed`, `backing-full`. What is in the cache then
   * stays dirty, and the next sync tries again
   */
  async sync(): Promise<void> {
    await this.#gate.pass(() => this.#content.sync());
    this.#emit({ kind: "inode.synced" });
  }

  /** Drops the cached pages that ranges touch, after their write-back. */
  async evict(ranges: readonly Range[] = [WHOLE]): Promise<Evicted> {
    const evicted = await this.#gate.pass(async () => {
      const all: Evicted[] = [];
      for (const range of ranges) all.push(await this.#content.evict(range));
      return {
        bytes: all.reduce((sum, { bytes }) => sum + bytes, 0n),
        refused: all.flatMap(({ refused }) => refused),
      };
    });
    const { bytes, refused } = evicted;
    this.#emit({ kind: "inode.evicted", data: { bytes, refused: refused.length } });
    return evicted;
  }

  /**
   * Looks at the backing file and takes over a foreign change.
   *
   * @returns Whether there was one
   * @throws {Fault} `backing-changed` when bytes are dirty, `backing-failed`
   */
  revalidate(): Promise<boolean> {
    return this.#gate.pass(() => this.#content.revalidate());
  }

  /**
   * Opens the file again and ends all translations (gVisor's `NotifyChangeFD`).
   *
   * @param accept Sees what the path leads to now, and may throw to leave everything as it is
   * @throws {Fault} `backing-changed` for another file while bytes are dirty; as an open does
   */
  async reopen(accept: (found: BackingAttributes) => void = () => {}): Promise<void> {
    await this.#gate.pass(() => this.#content.reopen(accept));
    this.mappings.regenerate();
    this.#emit({ kind: "inode.reopened" });
  }

  /**
   * Ends all translations, writes back and drops the whole cache (gVisor's `InvalidateUnsavable`).
   *
   * @param discard Dirty bytes are dropped, for when they can never be written back
   * @throws {Fault} of the write-back; then the cache stays as it is
   */
  async invalidate(discard = false): Promise<void> {
    this.mappings.invalidate(WHOLE, "invalidated");
    const lost = await this.#gate.pass(() => this.#content.invalidate(discard));
    if (lost > 0n) {
      this.#emit({ kind: "inode.discarded", reason: "on request", data: { dirtyBytes: lost } });
    }
  }

  /** @throws {Fault} `holder-not-found` */
  requireHolder(holder: string, action: string): void {
    if (this.holders.has(holder)) return;
    throw new Fault(
      "holder-not-found",
      `Cannot ${action} inode ${this.identity.id}: "${holder}" does not hold it`,
    );
  }

  /**
   * Writes back and closes the files, after all running calls. New calls are refused.
   *
   * @throws {Fault} `inode-mapped`; of the write-back, and then the inode stays open
   */
  async close(): Promise<void> {
    this.#maps.requireUnmapped(this.identity.id);
    await this.#gate.shut();
    try {
      await this.#content.writeBack(WHOLE);
    } catch (error) {
      this.#gate.reopen();
      throw error;
    }
    await this.#content.close();
  }

  /** Closes the files although a write-back failed. The journal has the dirty bytes. */
  async abandon(): Promise<void> {
    await this.#gate.shut();
    await this.#content.close();
  }

  #change(
    { ifMatch, isDurable }: ChangeOptions,
    change: (editor: Editor) => Promise<void>,
    isNothing = false,
  ): Promise<void> {
    return this.#gate.pass(async () => {
      this.#requireWritable();
      const require = () => this.#requireMatch(ifMatch);
      if (isNothing) require();
      else await this.#content.edit(change, { require, isDurable });
    });
  }

  #requireMatch(ifMatch: readonly string[] | undefined): void {
    const { etag } = this;
    if (ifMatch === undefined || ifMatch.includes("*")) return;
    if (etag !== undefined && ifMatch.includes(etag)) return;
    throw new Fault(
      "inode-stale",
      `Cannot change inode ${this.identity.id}: it is ${etag ?? "being changed"}, not ` +
        ifMatch.join(", ").slice(0, 200),
    );
  }

  #requireWritable(): void {
    if (this.identity.access === "rw") return;
    throw new Fault(
      "inode-read-only",
      `Cannot write inode ${this.identity.id}: it was opened with access "ro"`,
    );
  }
}

function requireOffsets(offset: bigint, length: bigint): void {
  if (offset + length <= FILE_OFFSET_MAX) return;
  throw new Fault(
    "value-not-allowed",
    `Cannot write at offset ${offset}: a file ends at ${FILE_OFFSET_MAX} at the latest`,
    { errno: "EFBIG" },
  );
}

async function writeAll(
  editor: Editor,
  bytes: Uint8Array<ArrayBuffer> | ByteSource,
  offset: bigint,
): Promise<void> {
  const source = bytes instanceof Uint8Array ? sourceOf(bytes) : bytes;
  let at = offset;
  for await (const part of source.parts()) {
    await editor.write(part, at);
    at += BigInt(part.byteLength);
  }
}
