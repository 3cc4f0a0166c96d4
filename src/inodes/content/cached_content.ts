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
import type { DirtLog } from "../writeback/dirty_log.ts";
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

/** Why translations of a range are void. */
type InvalidReason = TakeoverReason | "truncated";

/** What cached content is put together from. */
export interface CachedContentParts extends PageCacheParts {
  readonly dirt: DirtLog;
  readonly clock: Clock;
  readonly maps: MappedPages;
  /** Reads leave the access time alone. */
  readonly noatime: boolean;
  /** Whether times may be brought to the backing file. */
  readonly isWritable: boolean;
  /** Called when content from outside was taken over, or pages were cut off. */
  readonly onInvalid: (range: Range, reason: InvalidReason) => void;
  /** Called when a write-back or sync failed that did not fail before. */
  readonly onFailure: (fault: Fault) => void;
}

/**
 * Content cached in pages of our own (seed 001, `CachingInodeOperations` with `ForcePageCache`).
 *
 * Reads fill the cache by whole pages. Writes go to the cache where their page is in it, otherwise
 * straight to the backing file. Three things keep concurrent calls apart, always taken in this
 * order: `writes` (one write or truncate at a time), ranges in flight (one fill, punch or write
 * past the cache at a time on a page), changes of the backing file (one at a time). Reads of
 * cached pages wait for none of them, writes of cached pages only for other writes.
 */
export class CachedContent implements Content, PageSource {
  readonly backing: Backing;
  readonly #counters: Counters;
  readonly #clock: Clock;
  readonly #noatime: boolean;
  readonly #dirt: DirtLog;
  readonly #maps: MappedPages;
  readonly #cache: PageCache;
  readonly #changes: BackingChanges;
  readonly #writeBack: WriteBack;
  readonly #edits: CachedEdits;
  readonly #translator: Translator;
  readonly #timer: WriteBackTimer;
  readonly #times = new TouchedTimes();
  readonly #writes = new Serial();
  readonly #versions = new ChangeCount();
  #isReadNoted = false;

  constructor(parts: CachedContentParts) {
    const { backing, budget, clock, counters, dirt, maps, onInvalid } = parts;
    this.backing = backing;
    this.#counters = counters;
    this.#clock = clock;
    this.#noatime = parts.noatime;
    this.#dirt = dirt;
    this.#maps = maps;
    const cache = new PageCache(parts, this);
    const times = this.#times;
    const changes = new BackingChanges(backing, dirt, (sizeBytes, reason) => {
      dirt.takeSize(sizeBytes);
      this.#versions.add();
      times.noteHostWrite();
      // Never rejects; whoever wants these pages meets the punches among the ranges in flight.
      void cache.drop([WHOLE]);
      onInvalid(WHOLE, reason);
    });
    const writeBack = new WriteBack({ ...parts, resident: cache.resident, changes, times });
    this.#edits = new CachedEdits({
      ...{ backing, cache, budget, dirt, changes, writeBack, times, clock },
      dropClean: (range) => this.dropClean(range),
      onCut: (range) => onInvalid(range, "truncated"),
    });
    this.#translator = new Translator({ backing, cache, budget, dirt, maps });
    this.#timer = new WriteBackTimer(clock, async () => {
      await writeBack.run(WHOLE, false);
      return dirt.bytes > 0n;
    });
    this.#cache = cache;
    this.#changes = changes;
    this.#writeBack = writeBack;
  }

  get size(): bigint {
    return this.#dirt.size;
  }

  head(): ContentHead {
    const changes = this.#versions.current;
    if (changes === undefined || this.#dirt.isKeeping) {
      return { size: this.size, version: undefined };
    }
    // With the times that pages could be changed unseen: what it was before is not what it is after.
    return { size: this.size, version: `${changes.toString(36)}.${this.#dirt.keeps.toString(36)}` };
  }

  get residentBytes(): bigint {
    return this.#cache.resident.bytes;
  }

  get dirtyBytes(): bigint {
    return this.#dirt.bytes;
  }

  get failure(): Fault | undefined {
    return this.#writeBack.failure;
  }

  get takeovers(): number {
    return this.#changes.takeovers;
  }

  attributes(): ContentAttributes {
    const attributes = { ...this.#times.over(this.backing.attributes()), sizeBytes: this.size };
    const isGrown = this.size > this.#dirt.baseline.sizeBytes;
    return { ...attributes, dirty: [...isGrown ? ["size" as const] : [], ...this.#times.names] };
  }

  readNonblocking(into: Uint8Array<ArrayBuffer>, offset: bigint): number | undefined {
    const range = { start: offset, end: minOf(offset + BigInt(into.byteLength), this.size) };
    if (range.start >= range.end) return 0;
    if (!this.#cache.resident.covers(range)) return undefined;
    const length = Number(range.end - range.start);
    // A view costs as much as half of the copy of a page.
    this.#cache.file.load(length === into.byteLength ? into : into.subarray(0, length), offset);
    this.#cache.resident.touch(range);
    this.#counters.count("hits");
    this.#noteRead();
    return length;
  }

  async read(into: Uint8Array<ArrayBuffer>, offset: bigint): Promise<number> {
    this.#counters.count("misses");
    for (let at = offset;;) {
      // The size is asked anew after each wait: a truncate may have come in between.
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
    // Below a conflict only a write-back can tell whether the bytes may stay.
    const isThrough = () => isDurable && !this.#dirt.isOvertaken;
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
        // A journal that cannot be written must not take on more: this also tries it again.
        await this.#dirt.flush();
        try {
          await change(editor);
        } finally {
          if (this.#dirt.bytes > 0n) this.#timer.start();
        }
        await this.#dirt.flush();
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
    for (const dirt of this.#dirt.within(pagesOf(range))) clean.clear(pagesOf(dirt));
    for (const pin of this.#maps.pinnedWithin(range)) clean.clear(pin.range);
    this.#counters.count("evictedBytes", Number(clean.length));
    return this.#cache.drop([...clean]);
  }

  async revalidate(): Promise<boolean> {
    const before = this.takeovers;
    await this.#changes.revalidate();
    return this.takeovers > before;
  }

  reopen(accept: (found: BackingAttributes, isAnother: boolean) => void): Promise<void> {
    return this.#writes.run(() => this.#changes.reopen(accept));
  }

  invalidate(discard: boolean): Promise<bigint> {
    return this.#writes.run(async () => {
      for (;;) {
        const { keeps } = this.#dirt;
        if (!discard) await this.writeBack(WHOLE);
        // Pages that stay dirty although they were written back are clean now: their mappings
        // ended. Those of a translation that came meanwhile are to be written back first.
        const lost = await this.#changes.takeBacking(() => discard || keeps === this.#dirt.keeps);
        if (lost === undefined) continue;
        if (discard) {
          this.backing.forgetLost(WHOLE);
          this.#writeBack.forgive();
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
      await this.#dirt.flush();
    }
    return found;
  }

  unmapped(ranges: readonly Range[]): void {
    for (const range of ranges) this.#dirt.allowClean(range);
    if (this.#dirt.bytes > 0n) this.#timer.start();
  }

  async endedEarly(at: bigint): Promise<void> {
    const isExplained = await this.revalidate();
    if (!isExplained && this.size > at) throw this.backing.endedEarly(at, this.size);
  }

  settled(): Promise<void> {
    return this.#dirt.flush();
  }

  pages(): readonly PageRun[] {
    const runs = new Segments<Omit<PageRun, keyof Range>>((a, b) =>
      a.state === b.state && a.isMapped === b.isMapped
    );
    for (const run of this.#cache.resident.within(WHOLE)) {
      runs.set(run, { state: "clean", isMapped: false });
    }
    for (const { start, end, value } of this.#dirt.within(WHOLE)) {
      runs.update(pagesOf({ start, end }), (run) => {
        if (run === undefined) return undefined;
        const isKept = value.keep || run.state === "kept-dirty";
        return { ...run, state: isKept ? "kept-dirty" : "dirty" };
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
    for (let busy; (busy = inFlight.within(WHOLE)) !== undefined;) await busy.catch(() => {});
    // The budget may still be writing this inode back to make room for another one.
    await this.#changes.atLast(async () => {
      await this.#dirt.close();
      file.close();
      this.backing.file.close();
    });
  }

  /** Reads what found no room in the cache from the backing file. Returns how many bytes. */
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
      if (this.#dirt.bytes > 0n) this.#timer.start();
      await this.#dirt.flush();
      throw error;
    }
  }

  /** Notes the time of a read, once for all that are made without a wait between them. */
  #noteRead(): void {
    if (this.#isReadNoted || this.#noatime) return;
    this.#isReadNoted = true;
    this.#times.noteRead(this.#clock.wallNs());
    queueMicrotask(() => {
      this.#isReadNoted = false;
    });
  }
}
