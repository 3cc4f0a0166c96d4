import { Fault } from "../../core/faults.ts";
import { FILE_OFFSET_MAX, STREAM_PART_BYTES } from "../../core/limits.ts";
import type { AttributeChange, BackingAttributes } from "../../core/ports/backing_file.ts";
import type { EventFact } from "../../core/ports/events.ts";
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
import type { Mapping } from "../mapping/mapping_set.ts";
import { requirePath } from "../backing/open_fault.ts";
import type { InodeModes } from "../backing/opening.ts";
import type { TimeName } from "../writeback/touched_times.ts";
import type { Translated, TranslateRequest } from "../mapping/translation.ts";
import { writeAllOrUndo } from "../content/write_all_or_undo.ts";

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

/** The figures of one inode. */
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
  /** Tells that something changed. */
  readonly tell: (fact: Omit<EventFact, "subject">) => void;
}

/** An open file, shared by its holders (seed 001, `CachingInodeOperations`). */
export class CachingInode {
  readonly identity: InodeIdentity;
  /** Stands for the file, so that those who open it share the inode; a reopen can change it. */
  key: string;
  /** Whether only the daemon itself may find it, as it does the overlays of guests' disks. */
  readonly isHidden: boolean;
  readonly holders = new Set<string>();
  readonly #content: Content;
  readonly #maps: MappedPages;
  readonly #counters: Counters;
  readonly #tell: CachingInodeParts["tell"];
  #running = 0;
  #isClosing = false;
  #whenIdle: (() => void) | undefined;

  constructor(
    { identity, key, isHidden, content, maps, counters, tell }: CachingInodeParts,
  ) {
    this.identity = identity;
    this.key = key;
    this.isHidden = isHidden;
    this.#content = content;
    this.#maps = maps;
    this.#counters = counters;
    this.#tell = tell;
  }

  /** Size in bytes. */
  get size(): bigint {
    return this.#content.size;
  }

  /** Size and entity tag at one look. */
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
    this.#requireOpen();
    return this.#content.readNonblocking(into, offset);
  }

  /**
   * Reads up to the end of the content.
   *
   * @returns How many bytes there were
   * @throws {Fault} `backing-failed`, `backing-changed`
   */
  read(into: Uint8Array<ArrayBuffer>, offset: bigint): Promise<number> {
    return this.#use(async () =>
      this.#content.readNonblocking(into, offset) ?? await this.#content.read(into, offset)
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
   * Makes these bytes the whole content. This also ends a conflict with a change from outside.
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
   * Sets the size and attributes, in the backing file too. What was set before a failure stays.
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
    this.#tell({ kind: "inode.changed", data: { sizeBytes, ...change } });
  }

  /**
   * Reserves storage for a range, and makes the content so long at least.
   *
   * @throws {Fault} as {@linkcode write}; `value-not-allowed` for an empty range
   */
  async allocate(offset: bigint, length: bigint): Promise<void> {
    requireOffsets(offset, length);
    if (length === 0n) {
      throw new Fault("value-not-allowed", "Cannot allocate 0 bytes: name at least one");
    }
    await this.#change({}, (editor) => editor.allocate(offset, length));
    this.#tell({ kind: "inode.allocated", data: { offset, length } });
  }

  /** Sets cached times to now (seed 001, the Touch family); they count as dirty until a sync. */
  touch(names: readonly TimeName[]): void {
    this.#requireOpen();
    this.#content.touch(names);
  }

  /**
   * Gives the file another name below its root.
   *
   * @throws {Fault} `outside-root`, `file-exists`, `file-not-permitted`, `value-not-allowed`
   */
  async link(path: string): Promise<void> {
    requirePath(path);
    await this.#use(() => {
      this.#requireWritable();
      return this.#content.backing.link(path);
    });
    this.#tell({ kind: "inode.linked", data: { path } });
  }

  /**
   * Takes a name of the file away. The file stays open.
   *
   * @throws {Fault} `file-not-found` for a name that is not its own, and as {@linkcode link}
   */
  async unlink(path: string): Promise<void> {
    requirePath(path);
    await this.#use(() => {
      this.#requireWritable();
      return this.#content.backing.unlink(path);
    });
    this.#tell({ kind: "inode.unlinked", data: { path } });
  }

  /**
   * Resolves when all that was written is on stable storage.
   *
   * @throws {Fault} `backing-changed`, `backing-failed`, `backing-full`: what is in the cache
   * stays dirty, and the next sync tries again
   */
  async sync(): Promise<void> {
    await this.#use(() => this.#content.sync());
    this.#tell({ kind: "inode.synced" });
  }

  /** Drops the cached pages that ranges touch, after their write-back. */
  async evict(ranges: readonly Range[] = [WHOLE]): Promise<Evicted> {
    const evicted = await this.#use(async () => {
      const all: Evicted[] = [];
      for (const range of ranges) all.push(await this.#content.evict(range));
      return {
        bytes: all.reduce((sum, { bytes }) => sum + bytes, 0n),
        refused: all.flatMap(({ refused }) => refused),
      };
    });
    const { bytes, refused } = evicted;
    this.#tell({ kind: "inode.evicted", data: { bytes, refused: refused.length } });
    return evicted;
  }

  /**
   * Looks at the backing file and takes over what was changed from outside.
   *
   * @returns Whether anything was
   * @throws {Fault} `backing-changed` when there is dirt, `backing-failed`
   */
  revalidate(): Promise<boolean> {
    return this.#use(() => this.#content.revalidate());
  }

  /**
   * Opens the file anew and ends all translations (seed 001, `NotifyChangeFD`).
   *
   * @param accept Sees what the path leads to now, and may throw to leave all as it is
   * @throws {Fault} `backing-changed` for another file below dirt; as an open does
   */
  async reopen(
    accept: (found: BackingAttributes, isAnother: boolean) => void = () => {},
  ): Promise<void> {
    await this.#use(() => this.#content.reopen(accept));
    this.tellInvalid(this.#maps.regenerate(), "reopened");
    this.#tell({ kind: "inode.reopened" });
  }

  /**
   * Ends all translations, writes back and drops the whole cache (seed 001,
   * `InvalidateUnsavable`).
   *
   * @param discard Dirt is dropped instead: the way out when it can never be written back
   * @throws {Fault} of the write-back: the cache stays as it is
   */
  async invalidate(discard = false): Promise<void> {
    this.invalidated(WHOLE, "invalidated");
    const lost = await this.#use(() => this.#content.invalidate(discard));
    if (lost > 0n) {
      this.#tell({ kind: "inode.discarded", reason: "on request", data: { dirtyBytes: lost } });
    }
  }

  /**
   * Adds a mapping: its pages stay in the cache from now on.
   *
   * @returns The ranges that no mapping had before
   * @throws {Fault} `value-not-allowed`, `mappings-exhausted`, `inode-read-only`
   */
  addMapping(mapping: Mapping): Range[] {
    this.#requireOpen();
    if (mapping.isWritable) this.#requireWritable();
    const fresh = this.#maps.add(mapping);
    this.#tell({ kind: "inode.mapped", data: mappingData(mapping) });
    return fresh;
  }

  /**
   * Adds what a mapping maps at another address as well.
   *
   * @throws {Fault} `mapping-not-found`, and as {@linkcode addMapping}
   */
  copyMapping(source: Mapping, address: bigint): Range[] {
    this.#requireOpen();
    const fresh = this.#maps.copy(source, address);
    this.#tell({ kind: "inode.mapped", data: mappingData({ ...source, address }) });
    return fresh;
  }

  /**
   * Removes a mapping or a part of one.
   *
   * @returns The ranges that no mapping has any more
   * @throws {Fault} `value-not-allowed`, `mapping-not-found`
   */
  removeMapping(mapping: Mapping): Range[] {
    this.#requireOpen();
    const gone = this.#maps.remove(mapping);
    this.#content.unmapped(gone);
    this.#tell({ kind: "inode.unmapped", data: mappingData(mapping) });
    return gone;
  }

  mappings(): readonly Mapping[] {
    return this.#maps.list();
  }

  /**
   * Says where mapped bytes are, bringing them into the cache.
   *
   * @param holder What is returned is referenced until it ends, or its mapping does
   * @throws {Fault} `holder-not-found`, `not-mapped`, `value-not-allowed`, `cache-full`,
   * `state-unavailable`
   */
  translate(request: TranslateRequest, holder: string): Promise<Translated> {
    const { required, optional, isWrite } = request;
    return this.#use(async () => {
      const require = (): void => {
        this.requireHolder(holder, "translate");
        this.#maps.requireMapped(required, isWrite);
      };
      if (optional.start > required.start || optional.end < required.end) {
        throw new Fault(
          "value-not-allowed",
          `Cannot translate ${required.start}-${required.end}: it must lie in the optional range`,
        );
      }
      require();
      const mapped = this.#maps.mappedAround(required, optional, isWrite);
      const found = await this.#content.translate(
        { ...request, optional: mapped },
        holder,
        require,
      );
      if (this.identity.cache === "host") {
        for (const { source } of found.translations) this.#maps.hold(holder, source);
      }
      return found;
    });
  }

  /** @throws {Fault} `value-not-allowed` */
  addReference(range: Range): void {
    this.#requireOpen();
    this.#maps.incRef(range);
  }

  /** @throws {Fault} `value-not-allowed`, `reference-not-found` */
  removeReference(range: Range): void {
    this.#requireOpen();
    this.#maps.decRef(range);
  }

  /** Ends the translations of a holder; `andSpace` also the mappings of the space of its name. */
  endHolder(holder: string, andSpace = false): void {
    this.#maps.endHolder(holder);
    if (andSpace) this.#content.unmapped(this.#maps.removeSpace(holder));
  }

  /** Ends the translations of a range, since what they say does not hold any more. */
  invalidated(range: Range, reason: string): void {
    this.tellInvalid(this.#maps.invalidate(range), reason);
  }

  /** Tells whoever has mapped something that it has to be translated anew. */
  tellInvalid(mappings: readonly Mapping[], reason: string): void {
    for (const mapping of mappings) {
      this.#tell({ kind: "inode.invalidated", reason, data: mappingData(mapping) });
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
   * Writes back and lets go of the files, after all running calls; new ones are refused.
   *
   * @throws {Fault} `inode-mapped`; when the write-back fails: the inode stays open
   */
  async close(): Promise<void> {
    this.#maps.requireUnmapped(this.identity.id);
    this.#isClosing = true;
    await this.#idle();
    try {
      await this.#content.writeBack(WHOLE);
    } catch (error) {
      this.#isClosing = false;
      throw error;
    }
    await this.#content.close();
  }

  /** Ends all mappings, since the process that they reach through ends. */
  unmapAll(): void {
    for (const mapping of this.#maps.list()) this.#content.unmapped(this.#maps.remove(mapping));
  }

  /** Lets go of the files although a write-back failed. The journal keeps the dirt. */
  async abandon(): Promise<void> {
    this.#isClosing = true;
    await this.#idle();
    await this.#content.close();
  }

  #change(
    { ifMatch, isDurable }: ChangeOptions,
    change: (editor: Editor) => Promise<void>,
    isNothing = false,
  ): Promise<void> {
    return this.#use(async () => {
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

  async #use<Result>(task: () => Promise<Result>): Promise<Result> {
    this.#requireOpen();
    this.#running++;
    try {
      return await task();
    } finally {
      this.#running--;
      if (this.#running === 0) this.#whenIdle?.();
    }
  }

  async #idle(): Promise<void> {
    if (this.#running === 0) return;
    await new Promise<void>((resolve) => {
      this.#whenIdle = resolve;
    });
  }

  #requireOpen(): void {
    if (this.#isClosing) throw inodeNotFound(this.identity.id);
  }

  #requireWritable(): void {
    if (this.identity.access === "rw") return;
    throw new Fault(
      "inode-read-only",
      `Cannot write inode ${this.identity.id}: it was opened with access "ro"`,
    );
  }
}

/** The fault of an inode id that stands for nothing. */
export function inodeNotFound(id: string): Fault {
  return new Fault("inode-not-found", `Cannot find inode "${id.slice(0, 80)}": it is not open`);
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

function mappingData({ space, address, range, isWritable }: Mapping): EventFact["data"] & object {
  const { start, end } = range;
  return { space, address, offset: start, length: end - start, writable: isWritable };
}
