import { Fault } from "../../core/faults.ts";
import { READ_RESTARTS_MAX } from "../../core/limits.ts";
import type { BackingAttributes } from "../../core/ports/backing_file.ts";
import { intersection, minOf, type Range, Segments } from "../../core/segments.ts";
import { PageCache, type PageCacheParts, type PageSource } from "../cache/page_cache.ts";
import { pageEnd, pagesOf } from "../cache/residency.ts";
import type { Translated, TranslateRequest } from "../mapping/translation.ts";
import { Translator } from "../mapping/translator.ts";
import { WHOLE } from "../ranges/dirty_set.ts";
import { sliceOf } from "../ranges/page_slice.ts";
import { BackingChanges } from "../writeback/backing_changes.ts";
import { type DirtyLog, isAsBefore } from "../writeback/dirty_log.ts";
import { WriteBack } from "../writeback/write_back.ts";
import { WriteBackTimer } from "../writeback/write_back_timer.ts";
import { CachedEdits } from "./cached_edits.ts";
import { CachingInode, type InodeParts } from "./caching_inode.ts";
import type { Editor } from "./editor.ts";
import type { Evicted, InodeAttributes, InodeHead, PageRun } from "./inode_facts.ts";

/** What a cached inode is put together from. */
interface CachedInodeParts extends InodeParts, PageCacheParts {
  readonly dirty: DirtyLog;
}

/**
 * An inode in mode `own`: its pages lie in a cache file of ours (gVisor's ForcePageCache).
 *
 * Reads fill the cache by whole pages. Writes go to the cache where their page is in it, otherwise
 * straight to the backing file. Three things keep concurrent calls apart, always taken in this
 * order: `writes` (one edit at a time), ranges in flight (one fill, punch or write past the cache
 * at a time on a page), changes of the backing file (one at a time). Reads of cached pages wait for
 * none of them, and writes of cached pages only for other edits.
 */
export class CachedInode extends CachingInode implements PageSource {
  readonly #noatime: boolean;
  readonly #dirty: DirtyLog;
  readonly #cache: PageCache;
  readonly #changes: BackingChanges;
  readonly #writeBack: WriteBack;
  readonly #edits: CachedEdits;
  readonly #translator: Translator;
  readonly #timer: WriteBackTimer;
  #isReadNoted = false;

  constructor(parts: CachedInodeParts) {
    super(parts);
    const { backing, clock, dirty } = parts;
    const { times, lastFailure: failure } = this;
    const cache = new PageCache(parts, this);
    const changes = new BackingChanges(backing, dirty, (sizeBytes, reason) => {
      dirty.takeSize(sizeBytes);
      this.versions.add();
      times.noteHostWrite();
      // Never rejects. Whoever wants these pages meets the punches among the ranges in flight.
      void cache.drop([WHOLE]);
      if (reason === "changed-outside") this.emit({ kind: "inode.changed", reason });
      this.mappings.invalidate(WHOLE, reason);
    });
    const isWritable = parts.identity.access === "rw";
    const { resident } = cache;
    const writeBack = new WriteBack({ ...parts, resident, changes, times, failure, isWritable });
    this.#edits = new CachedEdits({
      ...{ backing, cache, dirty, changes, writeBack, times, clock },
      dropClean: (range) => this.dropClean(range),
      onCut: (range) => this.mappings.invalidate(range, "truncated"),
    });
    this.#timer = new WriteBackTimer(clock, async () => {
      await writeBack.run(WHOLE, false);
      return dirty.bytes > 0n;
    });
    this.#noatime = parts.noatime;
    this.#dirty = dirty;
    this.#cache = cache;
    this.#changes = changes;
    this.#writeBack = writeBack;
    this.#translator = new Translator({ cache, dirty, maps: this.maps });
  }

  get size(): bigint {
    return this.#dirty.size;
  }

  get residentBytes(): bigint {
    return this.#cache.resident.bytes;
  }

  get dirtyBytes(): bigint {
    return this.#dirty.bytes;
  }

  get takeovers(): number {
    return this.#changes.takeovers;
  }

  head(): InodeHead {
    const { size } = this;
    const changes = this.versions.current;
    if (changes === undefined || this.#dirty.hasPinned) return { size, etag: undefined };
    // The tag includes the pin count: while pages were pinned, clients could change them unseen, so
    // a tag from before must not match afterwards.
    const etag = this.tagOf(`${changes.toString(36)}.${this.#dirty.pins.toString(36)}`);
    return { size, etag };
  }

  override attributes(): InodeAttributes {
    const { size } = this;
    const { dirty, ...attributes } = super.attributes();
    const isGrown = size > this.#dirty.baseline.sizeBytes;
    return { ...attributes, sizeBytes: size, dirty: isGrown ? ["size", ...dirty] : dirty };
  }

  pages(): readonly PageRun[] {
    const runs = new Segments<Omit<PageRun, keyof Range>>((a, b) =>
      a.state === b.state && a.isMapped === b.isMapped
    );
    for (const run of this.#cache.resident.within(WHOLE)) {
      runs.set(run, { state: "clean", isMapped: false });
    }
    for (const { start, end, value } of this.#dirty.within(WHOLE)) {
      runs.update(pagesOf({ start, end }), (run) => {
        if (run === undefined) return undefined;
        const isPinned = value.isPinned || run.state === "kept-dirty";
        return { ...run, state: isPinned ? "kept-dirty" : "dirty" };
      });
    }
    for (const { range } of this.maps.unevictableWithin(WHOLE)) {
      runs.update(range, (run) => run === undefined ? undefined : { ...run, isMapped: true });
    }
    return [...runs].map(({ start, end, value }) => ({ start, end, ...value }));
  }

  readNonblocking(into: Uint8Array<ArrayBuffer>, offset: bigint): number | undefined {
    this.gate.requireOpen();
    const range = { start: offset, end: minOf(offset + BigInt(into.byteLength), this.size) };
    if (range.start >= range.end) return 0;
    if (!this.#cache.resident.covers(range)) return undefined;
    const length = Number(range.end - range.start);
    // Making a view costs half as much as copying a page, so it is avoided where it can be.
    this.#cache.file.load(length === into.byteLength ? into : into.subarray(0, length), offset);
    this.#cache.resident.touch(range);
    this.counters.count("hits");
    this.#noteRead();
    return length;
  }

  hasInMemory(ranges: readonly Range[]): boolean {
    return ranges.every((range) => this.#cache.resident.covers(range));
  }

  revalidate(): Promise<boolean> {
    return this.gate.pass(() => this.#revalidate());
  }

  /** Drops the clean pages of a range. Never rejects. */
  dropClean(range: Range): Promise<void> {
    const clean = new Segments<true>();
    for (const run of this.#cache.resident.within(range)) clean.set(run, true);
    for (const dirty of this.#dirty.within(pagesOf(range))) clean.clear(pagesOf(dirty));
    for (const pages of this.maps.unevictableWithin(range)) clean.clear(pages.range);
    this.counters.count("evictedBytes", Number(clean.length));
    return this.#cache.drop([...clean]);
  }

  writeBack(range: Range): Promise<void> {
    return this.#writeBack.run(range, false);
  }

  async endedEarly(at: bigint): Promise<void> {
    const isExplained = await this.#revalidate();
    if (!isExplained && this.size > at) throw this.backing.endedEarly(at, this.size);
  }

  async requireUnchanged(): Promise<void> {
    // A difference may be a change of our own that is under way: after it this can tell.
    const isOurs = isAsBefore(this.#dirty.baseline, this.backing.attributes());
    if (this.#dirty.isOvertaken || !isOurs) await this.#revalidate();
  }

  settled(): Promise<void> {
    return this.#dirty.flush();
  }

  protected async fetch(into: Uint8Array<ArrayBuffer>, offset: bigint): Promise<number> {
    this.counters.count("misses");
    let { takeovers } = this;
    let restarts = 0;
    for (let at = offset;;) {
      if (this.takeovers !== takeovers) {
        // What was read so far is of the content before.
        if (++restarts > READ_RESTARTS_MAX) throw this.#changesTooOften();
        ({ takeovers } = this);
        at = offset;
      }
      // A truncate can change the size during each wait.
      const end = minOf(offset + BigInt(into.byteLength), this.size);
      if (at >= end) {
        if (at > offset) this.#noteRead();
        return Number(at - offset);
      }
      const run = this.#cache.resident.at(at);
      if (run !== undefined) {
        const part = { start: at, end: minOf(run.end, end) };
        this.#cache.file.load(sliceOf(into, offset, part), at);
        this.#cache.resident.touch(part);
        at = part.end;
      } else if (await this.#cache.fetch(at, end) === "uncached") {
        at += await this.#readPast(into, offset, { start: at, end });
      }
    }
  }

  protected async apply(
    change: (editor: Editor) => Promise<void>,
    isDurable: boolean,
  ): Promise<void> {
    // During a conflict, only a write-back can tell whether the bytes may stay.
    const isThrough = () => isDurable && !this.#dirty.isOvertaken;
    // A journal that cannot be written must not take on more. This also tries it again.
    await this.#dirty.flush();
    try {
      await change({
        write: (bytes, offset) => this.#edits.write(bytes, offset, isThrough()),
        truncate: (size) => this.#edits.truncate(size),
        reserve: (length) => this.#edits.reserve(length),
        allocate: (offset, length) => this.#edits.allocate(offset, length),
        change: (attributes) => this.#edits.change(attributes),
        endConflict: () => this.#changes.endConflict(),
      });
    } finally {
      this.#startTimer();
    }
    await this.#dirty.flush();
  }

  protected async syncData(): Promise<void> {
    try {
      await this.#writeBack.syncData();
    } catch (error) {
      this.#startTimer();
      await this.#dirty.flush();
      throw error;
    }
  }

  protected syncAll(): Promise<void> {
    return this.#writeBack.sync();
  }

  protected async evictRange(range: Range): Promise<Evicted> {
    const pages = pagesOf(intersection(range, { start: 0n, end: pageEnd(this.size) }));
    let why = "it was written to meanwhile";
    try {
      await this.writeBack(pages);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      why = error.message;
    }
    const before = this.residentBytes;
    const dropped = this.dropClean(pages);
    const bytes = before - this.residentBytes;
    const whys = new Segments<string>();
    for (const run of this.#cache.resident.within(pages)) whys.set(run, why);
    for (const unevictable of this.maps.unevictableWithin(pages)) {
      whys.update(
        unevictable.range,
        (known) => known === undefined ? undefined : unevictable.why,
      );
    }
    await dropped;
    return {
      bytes,
      refused: [...whys].map(({ start, end, value }) => ({ range: { start, end }, why: value })),
    };
  }

  protected changeNames(change: () => Promise<void>): Promise<void> {
    return this.#changes.make(change);
  }

  protected reopenFile(accept: (found: BackingAttributes) => void): Promise<void> {
    return this.#changes.reopen(accept);
  }

  protected dropAll(discard: boolean): Promise<bigint> {
    return this.writes.run(async () => {
      for (;;) {
        const { pins } = this.#dirty;
        if (!discard) await this.writeBack(WHOLE);
        // Pinned pages stay dirty across a write-back. Their translations have ended, so they count
        // as clean. If a new translation pinned pages meanwhile, those are written back first.
        const lost = await this.#changes.takeBacking(() => discard || pins === this.#dirty.pins);
        if (lost === undefined) continue;
        if (!discard) return 0n;
        this.backing.unsynced.forget(WHOLE);
        this.lastFailure.clear();
        return lost;
      }
    });
  }

  protected async translateMapped(
    request: TranslateRequest,
    holder: string,
    require: () => void,
  ): Promise<Translated> {
    const found = await this.#translator.translate(request, holder, require);
    if (request.isWrite) {
      this.#timer.start();
      await this.#dirty.flush();
    }
    return found;
  }

  protected unmapped(ranges: readonly Range[]): void {
    for (const range of ranges) this.#dirty.allowClean(range);
    this.#startTimer();
  }

  protected async closeFiles(): Promise<void> {
    const { inFlight, resident, file } = this.#cache;
    this.#timer.stop();
    resident.remove(WHOLE);
    await inFlight.runAlone(WHOLE, async () => {
      // The budget may still be writing this inode back to make room for another one.
      await this.#changes.atLast(async () => {
        await this.#dirty.close();
        file.close();
        await this.backing.file.close();
      });
      return "again";
    });
  }

  async #revalidate(): Promise<boolean> {
    const before = this.takeovers;
    await this.#changes.revalidate();
    return this.takeovers > before;
  }

  /** Reads from the backing file what found no room in the cache. Returns how many bytes. */
  async #readPast(
    into: Uint8Array<ArrayBuffer>,
    offset: bigint,
    { start, end }: Range,
  ): Promise<bigint> {
    const { inFlight, resident } = this.#cache;
    if (inFlight.at(start) !== undefined || resident.at(start) !== undefined) return 0n;
    const part = { start, end: minOf(end, this.#cache.gapAround(start).end) };
    const read = BigInt(await this.backing.read(sliceOf(into, offset, part), start));
    if (start + read < part.end) await this.endedEarly(start + read);
    else await this.requireUnchanged();
    return read;
  }

  #changesTooOften(): Fault {
    return new Fault(
      "backing-failed",
      `Cannot read ${this.backing.name}: it was changed from outside ${READ_RESTARTS_MAX} times ` +
        "while it was read; try again when its writer is done",
    );
  }

  #startTimer(): void {
    if (this.#dirty.bytes > 0n) this.#timer.start();
  }

  /** Notes the time of a read, once for all reads that are made without a wait between them. */
  #noteRead(): void {
    if (this.#isReadNoted || this.#noatime) return;
    this.#isReadNoted = true;
    this.times.noteRead(this.clock.wallNs());
    queueMicrotask(() => {
      this.#isReadNoted = false;
    });
  }
}
