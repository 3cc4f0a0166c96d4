import { Fault } from "../../core/faults.ts";
import type { BackingAttributes } from "../../core/ports/backing_file.ts";
import type { Clock } from "../../core/ports/clock.ts";
import { intersection, minOf, type Range, Segments } from "../../core/segments.ts";
import { Serial } from "../../core/serial.ts";
import type { Backing } from "../backing/backing.ts";
import { BackingChanges, type TakeoverReason } from "../writeback/backing_changes.ts";
import { ChangeCount } from "./change_count.ts";
import { CachedEdits } from "./cached_edits.ts";
import type {
  Content,
  ContentAttributes,
  ContentHead,
  EditOptions,
  Editor,
  Evicted,
  PageRun,
} from "./content.ts";
import type { Counters } from "../cache/counters.ts";
import type { DirtyLog } from "../writeback/dirty_log.ts";
import { LastFailure } from "../writeback/last_failure.ts";
import { WHOLE } from "../ranges/dirty_set.ts";
import type { MappedPages } from "../mapping/mapped_pages.ts";
import { PageCache, type PageCacheParts, type PageSource } from "../cache/page_cache.ts";
import { pageEnd, pagesOf } from "../cache/residency.ts";
import { sliceOf } from "../ranges/page_slice.ts";
import { type TimeName, TouchedTimes } from "../writeback/touched_times.ts";
import type { Translated, TranslateRequest } from "../mapping/translation.ts";
import { Translator } from "../mapping/translator.ts";
import { WriteBack } from "../writeback/write_back.ts";
import { WriteBackTimer } from "../writeback/write_back_timer.ts";

/** Why translations of a range no longer hold. */
type InvalidReason = TakeoverReason | "truncated";

/** What cached content is put together from. */
export interface CachedContentParts extends PageCacheParts {
  readonly dirty: DirtyLog;
  readonly clock: Clock;
  readonly maps: MappedPages;
  /** Reads leave the access time alone. */
  readonly noatime: boolean;
  /** Whether the backing file may be given times. */
  readonly isWritable: boolean;
  /** Called when foreign content was taken over, or pages were cut off. */
  readonly onInvalid: (range: Range, reason: InvalidReason) => void;
  /** Called for a failure of a write-back or sync of another kind than the one before. */
  readonly onFailure: (fault: Fault) => void;
}

/**
 * Content cached in pages of our own (docs/inodes.md#1, gVisor's `CachingInodeOperations` with
 * `ForcePageCache`).
 *
 * Reads fill the cache by whole pages. A write goes to the cache where its page is cached, otherwise
 * straight to the backing file. Three things keep concurrent calls apart, and are always taken in
 * this order: `writes` (one write or truncate at a time), ranges in flight (one fill, punch or write
 * past the cache at a time on a page), and changes of the backing file (one at a time). Reads of
 * cached pages wait for none of them; writes of cached pages wait only for other writes.
 */
export class CachedContent implements Content, PageSource {
  readonly backing: Backing;
  readonly #counters: Counters;
  readonly #clock: Clock;
  readonly #noatime: boolean;
  readonly #dirty: DirtyLog;
  readonly #maps: MappedPages;
  readonly #cache: PageCache;
  readonly #changes: BackingChanges;
  readonly #writeBack: WriteBack;
  readonly #edits: CachedEdits;
  readonly #translator: Translator;
  readonly #timer: WriteBackTimer;
  readonly #failure: LastFailure;
  readonly #times = new TouchedTimes();
  readonly #writes = new Serial();
  readonly #versions = new ChangeCount();
  #isReadNoted = false;

  constructor(parts: CachedContentParts) {
    const { backing, clock, counters, dirty, maps, onInvalid } = parts;
    this.backing = backing;
    this.#counters = counters;
    this.#clock = clock;
    this.#noatime = parts.noatime;
    this.#dirty = dirty;
    this.#failure = new LastFailure(counters, parts.onFailure);
    this.#maps = maps;
    const cache = new PageCache(parts, this);
    const times = this.#times;
    const changes = new BackingChanges(backing, dirty, (sizeBytes, reason) => {
      dirty.takeSize(sizeBytes);
      this.#versions.add();
      times.noteHostWrite();
      // This never rejects. Whoever wants these pages waits for the ranges in flight.
      void cache.drop([WHOLE]);
      onInvalid(WHOLE, reason);
    });
    const writeBack = new WriteBack({
      ...{ ...parts, changes, times },
      resident: cache.resident,
      failure: this.#failure,
    });
    this.#edits = new CachedEdits({
      ...{ backing, cache, dirty, changes, writeBack, times, clock },
      dropClean: (range) => this.dropClean(range),
      onCut: (range) => onInvalid(range, "truncated"),
    });
    this.#translator = new Translator({ cache, dirty, maps });
    this.#timer = new WriteBackTimer(clock, async () => {
      await writeBack.run(WHOLE, false);
      return dirty.bytes > 0n;
    });
    this.#cache = cache;
    this.#changes = changes;
    this.#writeBack = writeBack;
  }

  get size(): bigint {
    return this.#dirty.size;
  }

  head(): ContentHead {
    const changes = this.#versions.current;
    if (changes === undefined || this.#dirty.hasPinned) {
      return { size: this.size, version: undefined };
    }
    // The version includes the pin count: while pages were pinned for writing, clients could change
    // them without our seeing, so a version from before must not match after.
    return { size: this.size, version: `${changes.toString(36)}.${this.#dirty.pins.toString(36)}` };
  }

  get residentBytes(): bigint {
    return this.#cache.resident.bytes;
  }

  get dirtyBytes(): bigint {
    return this.#dirty.bytes;
  }

  get failure(): Fault | undefined {
    return this.#failure.fault;
  }

  get takeovers(): number {
    return this.#changes.takeovers;
  }

  attributes(): ContentAttributes {
    const attributes = { ...this.#times.over(this.backing.attributes()), sizeBytes: this.size };
    const isGrown = this.size > this.#dirty.baseline.sizeBytes;
    return { ...attributes, dirty: [...isGrown ? ["size" as const] : [], ...this.#times.names] };
  }

  readNonblocking(into: Uint8Array<ArrayBuffer>, offset: bigint): number | undefined {
    const range = { start: offset, end: minOf(offset + BigInt(into.byteLength), this.size) };
    if (range.start >= range.end) return 0;
    if (!this.#cache.resident.covers(range)) return undefined;
    const length = Number(range.end - range.start);
    // Making a view costs half as much as copying a page, so a whole buffer is passed as it is.
    this.#cache.file.load(length === into.byteLength ? into : into.subarray(0, length), offset);
    this.#cache.resident.touch(range);
    this.#counters.count("hits");
    this.#noteRead();
    return length;
  }

  async read(into: Uint8Array<ArrayBuffer>, offset: bigint): Promise<number> {
    this.#counters.count("misses");
    for (let at = offset;;) {
      // Read the size again after each wait, because a truncate may have come in between.
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

  edit(
    change: (editor: Editor) => Promise<void>,
    { require, isDurable = false }: EditOptions = {},
  ): Promise<void> {
    // In a conflict only a write-back can tell whether the bytes may stay.
    const isThrough = () => isDurable && !this.#dirty.isOvertaken;
    const editor: Editor = {
      write: (bytes, offset) => this.#edits.write(bytes, offset, isThrough()),
      truncate: (size) => this.#edits.truncate(size),
      allocate: (offset, length) => this.#edits.allocate(offset, length),
      change: (attributes) => this.#edits.change(attributes),
      endConflict: () => this.#changes.endConflict(),
    };
    const done = this.#writes.run(() => {
      require?.();
      return this.#versions.during(async () => {
        // A journal that cannot be written must not take more records. This also retries it.
        await this.#dirty.flush();
        try {
          await change(editor);
        } finally {
          if (this.#dirty.bytes > 0n) this.#timer.start();
        }
        await this.#dirty.flush();
      });
    });
    return isDurable ? done.then(() => this.#makeDurable()) : done;
  }

  touch(names: readonly TimeName[]): void {
    this.#times.touch(names, this.#clock.wallNs());
  }

  sync(): Promise<void> {
    return this.#writeBack.sync();
  }

  writeBack(range: Range): Promise<void> {
    return this.#writeBack.run(range, false);
  }

  async evict(range: Range): Promise<Evicted> {
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
    for (const pin of this.#maps.pinnedWithin(pages)) {
      whys.update(pin.range, (known) => known === undefined ? undefined : pin.why);
    }
    await dropped;
    return {
      bytes,
      refused: [...whys].map(({ start, end, value }) => ({ range: { start, end }, why: value })),
    };
  }

  dropClean(range: Range): Promise<void> {
    const clean = new Segments<true>();
    for (const run of this.#cache.resident.within(range)) clean.set(run, true);
    for (const part of this.#dirty.within(pagesOf(range))) clean.clear(pagesOf(part));
    for (const pin of this.#maps.pinnedWithin(range)) clean.clear(pin.range);
    this.#counters.count("evictedBytes", Number(clean.length));
    return this.#cache.drop([...clean]);
  }

  async revalidate(): Promise<boolean> {
    const before = this.takeovers;
    await this.#changes.revalidate();
    return this.takeovers > before;
  }

  reopen(accept: (found: BackingAttributes) => void): Promise<void> {
    return this.#writes.run(() => this.#changes.reopen(accept));
  }

  invalidate(discard: boolean): Promise<bigint> {
    return this.#writes.run(async () => {
      for (;;) {
        const { pins } = this.#dirty;
        if (!discard) await this.writeBack(WHOLE);
        // Pinned pages stay dirty across write-back. Their mappings are gone, so they count as clean;
        // if a new translation pinned pages meanwhile, loop and write those back first.
        const lost = await this.#changes.takeBacking(() => discard || pins === this.#dirty.pins);
        if (lost === undefined) continue;
        if (discard) {
          this.backing.forgetLost(WHOLE);
          this.#failure.clear();
        }
        return discard ? lost : 0n;
      }
    });
  }

  async translate(
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

  unmapped(ranges: readonly Range[]): void {
    for (const range of ranges) this.#dirty.allowClean(range);
    if (this.#dirty.bytes > 0n) this.#timer.start();
  }

  async endedEarly(at: bigint): Promise<void> {
    const isExplained = await this.revalidate();
    if (!isExplained && this.size > at) throw this.backing.endedEarly(at, this.size);
  }

  settled(): Promise<void> {
    return this.#dirty.flush();
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
    for (const { range } of this.#maps.pinnedWithin(WHOLE)) {
      runs.update(range, (run) => run === undefined ? undefined : { ...run, isMapped: true });
    }
    return [...runs].map(({ start, end, value }) => ({ start, end, ...value }));
  }

  async close(): Promise<void> {
    const { inFlight, resident, file } = this.#cache;
    this.#timer.stop();
    resident.remove(WHOLE);
    await inFlight.idle(WHOLE);
    // The budget may still be writing this inode back to make room for another one.
    await this.#changes.atLast(async () => {
      await this.#dirty.close();
      file.close();
      this.backing.file.close();
    });
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
    return read;
  }

  async #makeDurable(): Promise<void> {
    try {
      await this.#writeBack.syncData();
    } catch (error) {
      if (this.#dirty.bytes > 0n) this.#timer.start();
      await this.#dirty.flush();
      throw error;
    }
  }

  /** Notes the time of a read, once for all reads that have no wait between them. */
  #noteRead(): void {
    if (this.#isReadNoted || this.#noatime) return;
    this.#isReadNoted = true;
    this.#times.noteRead(this.#clock.wallNs());
    queueMicrotask(() => {
      this.#isReadNoted = false;
    });
  }
}
