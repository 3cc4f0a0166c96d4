import { Coalesced } from "../core/coalesced.ts";
import { Fault } from "../core/faults.ts";
import { FILL_BYTES_MAX, WRITE_BACK_BYTES } from "../core/limits.ts";
import type { AttributeChange, BackingAttributes } from "../core/ports/backing_file.ts";
import type { Clock } from "../core/ports/clock.ts";
import { intersection, maxOf, minOf, type Range, Segments } from "../core/segments.ts";
import { Serial } from "../core/serial.ts";
import type { Backing } from "./backing.ts";
import { BackingChanges, type TakeoverReason } from "./backing_changes.ts";
import { ChangeCount } from "./change_count.ts";
import type { CacheBudget } from "./cache_budget.ts";
import type {
  Content,
  ContentAttributes,
  EditOptions,
  Editor,
  Evicted,
  PageRun,
} from "./content.ts";
import type { Counters } from "./counters.ts";
import type { DirtLog } from "./dirt_log.ts";
import { WHOLE } from "./dirty_set.ts";
import type { MappedPages } from "./mapped_pages.ts";
import { PageCache, type PageCacheParts, type PageSource } from "./page_cache.ts";
import { pageEnd, pagesOf, pageStart } from "./residency.ts";
import { type TimeName, TouchedTimes } from "./touched_times.ts";
import {
  type BusError,
  maxFillRange,
  type Translated,
  type TranslateRequest,
} from "./translation.ts";
import { WriteBackTimer } from "./write_back_timer.ts";

/** Why translations of a range are void. */
export type InvalidReason = TakeoverReason | "truncated";

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

const FILL = BigInt(FILL_BYTES_MAX);

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
  readonly #parts: CachedContentParts;
  readonly #budget: CacheBudget;
  readonly #counters: Counters;
  readonly #clock: Clock;
  readonly #dirt: DirtLog;
  readonly #maps: MappedPages;
  readonly #cache: PageCache;
  readonly #times = new TouchedTimes();
  readonly #timer: WriteBackTimer;
  /** Group commits: of written bytes, and of those together with all dirt. */
  readonly #dataSync: Coalesced;
  readonly #wholeSync = new Coalesced(() => this.#writeBack(WHOLE, true));
  readonly #changes: BackingChanges;
  readonly #writes = new Serial();
  readonly #edits = new ChangeCount();
  #isReadNoted = false;
  #failure: Fault | undefined;

  constructor(parts: CachedContentParts) {
    this.backing = parts.backing;
    this.#parts = parts;
    this.#maps = parts.maps;
    this.#dataSync = new Coalesced(() => parts.backing.sync());
    this.#timer = new WriteBackTimer(parts.clock, async () => {
      await this.#writeBack(WHOLE, false);
      return this.#dirt.bytes > 0n;
    });
    this.#budget = parts.budget;
    this.#counters = parts.counters;
    this.#clock = parts.clock;
    this.#dirt = parts.dirt;
    this.#cache = new PageCache(parts, this);
    this.#changes = new BackingChanges(parts.backing, parts.dirt, (sizeBytes, reason) => {
      this.#dirt.takeSize(sizeBytes);
      this.#edits.add();
      this.#times.noteHostWrite();
      // Never rejects; whoever wants these pages meets the punches among the ranges in flight.
      void this.#cache.drop([WHOLE]);
      parts.onInvalid(WHOLE, reason);
    });
  }

  get size(): bigint {
    return this.#dirt.size;
  }

  get version(): string | undefined {
    return this.#dirt.isKeeping ? undefined : this.#edits.current?.toString(36);
  }

  get residentBytes(): bigint {
    return this.#cache.resident.bytes;
  }

  get dirtyBytes(): bigint {
    return this.#dirt.bytes;
  }

  get failure(): Fault | undefined {
    return this.#failure;
  }

  get takeovers(): number {
    return this.#changes.takeovers;
  }

  attributes(): ContentAttributes {
    const attributes = { ...this.#times.over(this.backing.attributes()), sizeBytes: this.size };
    const isGrown = this.size > this.#dirt.baseline.sizeBytes;
    return { ...attributes, dirty: [...isGrown ? ["size" as const] : [], ...this.#times.names] };
  }

  readNow(into: Uint8Array<ArrayBuffer>, offset: bigint): number | undefined {
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
        this.#cache.file.load(slice(into, offset, part), at);
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
    const written: Range[] = [];
    const editor: Editor = {
      write: async (bytes, offset) => {
        await this.#write(bytes, offset, isThrough());
        if (isDurable) written.push({ start: offset, end: offset + BigInt(bytes.byteLength) });
      },
      truncate: (size) => this.#truncate(size),
      allocate: (offset, length) => this.#allocate(offset, length),
      change: (attributes) => this.#change(attributes),
      endConflict: () => this.#changes.endConflict(),
    };
    const done = this.#writes.run(() => {
      require?.();
      return this.#edits.during(async () => {
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
    return isDurable ? done.then(() => this.#makeDurable(written)) : done;
  }

  touch(names: readonly TimeName[]): void {
    this.#times.touch(names, this.#clock.wallNs());
  }

  sync(): Promise<void> {
    return this.#wholeSync.run();
  }

  writeBack(range: Range): Promise<void> {
    return this.#writeBack(range, false);
  }

  async evict(range: Range): Promise<Evicted> {
    const pages = pagesOf(intersection(range, { start: 0n, end: pageEnd(this.size) }));
    let why = "it was written to meanwhile";
    try {
      await this.#writeBack(pages, false);
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
      if (!discard) await this.#writeBack(WHOLE, false);
      // Pages that stay dirty although they were written back are clean now: their mappings ended.
      const lost = await this.#changes.takeBacking();
      if (discard) this.#failure = undefined;
      return discard ? lost : 0n;
    });
  }

  async translate(request: TranslateRequest, holder: string): Promise<Translated> {
    const { required, isWrite } = request;
    for (;;) {
      const failed = await this.#fetchAll(required);
      if (isWrite && !await this.#admitDirt(this.#translatable(request))) throw this.#cacheFull();
      const found = this.#translated(request, failed);
      // A change from outside may have taken pages away meanwhile.
      if (found === undefined) continue;
      for (const { source } of found.translations) {
        this.#maps.hold(holder, source);
        if (isWrite) this.#dirt.keepDirty(source);
      }
      if (isWrite) {
        this.#timer.start();
        await this.#dirt.flush();
      }
      return found;
    }
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
    const read = BigInt(await this.backing.read(slice(into, offset, part), start));
    if (start + read < part.end) await this.endedEarly(start + read);
    return read;
  }

  async #write(
    bytes: Uint8Array<ArrayBuffer>,
    offset: bigint,
    isThrough: boolean,
  ): Promise<void> {
    const end = offset + BigInt(bytes.byteLength);
    for (let at = offset; at < end;) {
      const run = this.#cache.resident.at(at);
      const gap = this.#cache.resident.gapAround(at, { start: 0n, end });
      const part = { start: at, end: minOf((run ?? gap).end, end) };
      at = run === undefined || isThrough
        ? await this.#writePast(bytes, offset, isThrough ? { start: at, end } : part)
        : await this.#writeCached(bytes, offset, part);
      this.#grow(at);
    }
  }

  /** Writes to cached pages. Returns how far it came: nowhere when it had to wait. */
  async #writeCached(
    bytes: Uint8Array<ArrayBuffer>,
    offset: bigint,
    run: Range,
  ): Promise<bigint> {
    const part = { start: run.start, end: minOf(run.end, run.start + FILL) };
    const fresh = part.end - part.start - this.#dirt.lengthWithin(part);
    if (!this.#budget.admitsDirt(fresh)) {
      if (await this.#budget.relieve(fresh)) return part.start;
      throw this.#cacheFull();
    }
    this.#cache.file.store(slice(bytes, offset, part), part.start);
    this.#dirt.markDirty(part);
    this.#cache.resident.touch(part);
    this.#times.noteWrite(this.#clock.wallNs());
    return part.end;
  }

  /**
   * Writes to the backing file, and to cached pages as well where there are any. Returns as
   * `#writeCached`.
   */
  async #writePast(bytes: Uint8Array<ArrayBuffer>, offset: bigint, part: Range): Promise<bigint> {
    const pages = pagesOf(part);
    const { inFlight, resident, file } = this.#cache;
    const busy = inFlight.within(pages);
    if (busy !== undefined) {
      await busy.catch(() => {});
      return part.start;
    }
    await inFlight.run(pages, async () => {
      await this.#changes.make(async () => {
        try {
          await this.backing.write(slice(bytes, offset, part), part.start);
        } catch (error) {
          // Part of it may be in the file: pages that have the bytes before are wrong.
          for (const run of resident.within(pages)) void this.dropClean(run);
          throw error;
        }
        // Within the change, or a write-back could come between with the bytes before.
        for (const run of resident.within(part)) file.store(slice(bytes, offset, run), run.start);
      });
      this.#times.noteHostWrite();
      return "again";
    });
    return part.end;
  }

  #grow(end: bigint): void {
    if (end > this.size) this.#dirt.grow(end);
  }

  async #makeDurable(written: readonly Range[]): Promise<void> {
    try {
      if (this.#dirt.bytes > 0n) await this.sync();
      else await this.#dataSync.run();
    } catch (error) {
      this.#fail(error);
      // What the host could not store it may forget: the cache still has it.
      await this.#writes.run(() => {
        for (const range of written) {
          for (const run of this.#cache.resident.within(range)) this.#dirt.markDirty(run);
        }
        return this.#dirt.flush();
      });
      throw error;
    }
  }

  async #allocate(offset: bigint, length: bigint): Promise<void> {
    await this.#changes.make(() => this.backing.allocate(offset, length));
    this.#times.noteHostWrite();
    this.#grow(offset + length);
  }

  async #change(change: AttributeChange): Promise<void> {
    await this.#changes.make(() => this.backing.change(change));
    this.#times.override(change);
    const { modificationTimeNs } = change;
    if (modificationTimeNs !== undefined && this.#dirt.bytes > 0n) {
      this.#times.keepModification(modificationTimeNs);
    }
  }

  async #truncate(size: bigint): Promise<void> {
    const { inFlight, resident, file } = this.#cache;
    await this.#saveBeyond(size);
    const tail = { start: pageStart(size), end: WHOLE.end };
    for (let busy; (busy = inFlight.within(tail)) !== undefined;) await busy.catch(() => {});
    await inFlight.run(tail, async () => {
      await this.#changes.make(() => this.backing.truncate(size));
      const before = this.size;
      this.#times.noteHostWrite();
      if (size >= before) this.#grow(size);
      else {
        this.#dirt.cut(size, pageEnd(size));
        if (pageEnd(size) < pageEnd(before)) {
          this.#parts.onInvalid({ start: pageEnd(size), end: pageEnd(before) }, "truncated");
        }
        // A later growth must find zeros between the old end and the new one.
        if (resident.at(size) !== undefined) {
          file.store(new Uint8Array(Number(pageEnd(size) - size)), size);
        }
        await this.#cache.drop([{ start: pageEnd(size), end: WHOLE.end }]);
      }
      return "again";
    });
  }

  /**
   * Writes dirt back that a truncate is about to cut off: a crash on the way must find either the
   * old end or the new one, not old dirt behind zeros.
   */
  async #saveBeyond(size: bigint): Promise<void> {
    const beyond = { start: size, end: WHOLE.end };
    if (this.#dirt.lengthWithin(beyond) === 0n) return;
    try {
      await this.#writeBack(beyond, false);
    } catch (error) {
      if (!this.#dirt.isOvertaken) throw error;
    }
  }

  async #writeBack(range: Range, durable: boolean): Promise<void> {
    const times = range === WHOLE && this.#parts.isWritable ? this.#times.pending : undefined;
    try {
      const hadDirt = await this.#changes.writeBack(
        range,
        durable || times !== undefined,
        durable,
        (dirt) => this.#copy(dirt),
        async () => {
          if (times === undefined) return;
          await this.backing.change(times);
          this.#times.settle(times);
        },
      );
      if (this.#dirt.bytes === 0n) this.#times.settleWrites();
      if (hadDirt) this.#counters.count("writeBacks");
      if (hadDirt || durable) this.#failure = undefined;
    } catch (error) {
      this.#fail(error);
      throw error;
    }
  }

  #fail(error: unknown): void {
    this.#counters.count("errors");
    if (!(error instanceof Fault)) return;
    if (this.#failure?.code !== error.code) this.#parts.onFailure(error);
    this.#failure = error;
  }

  #cacheFull(): Fault {
    return new Fault(
      "cache-full",
      `Cannot cache more of ${this.backing.name}: ${this.#budget.dirtyBytes} bytes wait for a ` +
        `backing file that does not take them, or are mapped; try again when it does`,
    );
  }

  /** Notes the time of a read, once for all that are made without a wait between them. */
  #noteRead(): void {
    if (this.#isReadNoted || this.#parts.noatime) return;
    this.#isReadNoted = true;
    this.#times.noteRead(this.#clock.wallNs());
    queueMicrotask(() => {
      this.#isReadNoted = false;
    });
  }

  /** What a translation may return: mapped, worth having, and not behind the last page. */
  #translatable({ required, optional, isWrite }: TranslateRequest): Range {
    const end = pageEnd(this.size);
    const wanted = { start: required.start, end: minOf(required.end, end) };
    if (wanted.start >= wanted.end) return wanted;
    const mapped = intersection(this.#maps.mappedAround(required, optional, isWrite), {
      start: 0n,
      end,
    });
    return maxFillRange(wanted, mapped);
  }

  async #admitDirt(range: Range): Promise<boolean> {
    const fresh = range.end - range.start - this.#dirt.lengthWithin(range);
    return this.#budget.admitsDirt(fresh) || await this.#budget.relieve(fresh);
  }

  /** Brings a range into the cache. Returns where and why that failed. */
  async #fetchAll({ start, end }: Range): Promise<BusError | undefined> {
    for (let at = start; at < minOf(end, pageEnd(this.size));) {
      const run = this.#cache.resident.at(at);
      if (run !== undefined) at = run.end;
      else {
        try {
          if (await this.#cache.fetch(at, end) === "uncached") throw this.#cacheFull();
        } catch (error) {
          if (!(error instanceof Fault)) throw error;
          return { offset: at, fault: error };
        }
      }
    }
    return undefined;
  }

  /** What of a request is in the cache; `undefined` when pages are missing for no known reason. */
  #translated(request: TranslateRequest, failed: BusError | undefined): Translated | undefined {
    const { required: { start, end }, isWrite } = request;
    const run = this.#cache.resident.at(start);
    const source = run === undefined
      ? { start, end: start }
      : intersection(run, this.#translatable(request));
    const reached = maxOf(source.end, start);
    if (reached < minOf(end, pageEnd(this.size)) && failed === undefined) return undefined;
    const eof = { offset: pageEnd(this.size), fault: undefined };
    return {
      translations: source.start >= source.end ? [] : [{
        source,
        file: this.#cache.file.path,
        offset: source.start,
        permissions: { write: isWrite },
      }],
      busError: reached >= end ? undefined : failed ?? eof,
    };
  }

  async #copy({ start, end: dirtEnd }: Range): Promise<void> {
    // Whole pages that may be changed unseen are dirty also behind the end of the content.
    const dirt = { start, end: minOf(dirtEnd, this.size) };
    if (dirt.start >= dirt.end) return;
    const bufferBytes = Math.min(Number(dirt.end - dirt.start), WRITE_BACK_BYTES);
    await this.#parts.buffers.lend(bufferBytes, async (buffer) => {
      for (let at = dirt.start; at < dirt.end;) {
        const part = buffer.subarray(0, Math.min(bufferBytes, Number(dirt.end - at)));
        this.#cache.file.load(part, at);
        await this.backing.write(part, at);
        at += BigInt(part.byteLength);
      }
    });
  }
}

/** The bytes that a range has in a buffer whose first byte is at `offset`. */
function slice(
  bytes: Uint8Array<ArrayBuffer>,
  offset: bigint,
  { start, end }: Range,
): Uint8Array<ArrayBuffer> {
  return bytes.subarray(Number(start - offset), Number(end - offset));
}
