import { Fault } from "../core/faults.ts";
import { FILL_BYTES_MAX, WRITE_BACK_BYTES } from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";
import { intersection, maxOf, minOf, type Range, Segments } from "../core/segments.ts";
import { Serial } from "../core/serial.ts";
import type { Backing } from "./backing.ts";
import { BackingChanges } from "./backing_changes.ts";
import { ChangeCount } from "./change_count.ts";
import type { CacheBudget } from "./cache_budget.ts";
import type { Content, ContentAttributes, Evicted, PageRun } from "./content.ts";
import type { Counters } from "./counters.ts";
import type { DirtLog } from "./dirt_log.ts";
import { WHOLE } from "./dirty_set.ts";
import { PageCache, type PageCacheParts, type PageSource } from "./page_cache.ts";
import { pageEnd, pagesOf, pageStart } from "./residency.ts";

/** What cached content is put together from. */
export interface CachedContentParts extends PageCacheParts {
  readonly dirt: DirtLog;
  readonly clock: Clock;
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
  readonly #backing: Backing;
  readonly #budget: CacheBudget;
  readonly #counters: Counters;
  readonly #clock: Clock;
  readonly #dirt: DirtLog;
  readonly #cache: PageCache;
  readonly #changes: BackingChanges;
  readonly #writes = new Serial();
  #size: bigint;
  readonly #edits = new ChangeCount();
  #failure: Fault | undefined;
  /** When dirt was last made; shown until it is written back. */
  #dirtiedAtNs = 0n;

  constructor(parts: CachedContentParts) {
    this.#backing = parts.backing;
    this.#budget = parts.budget;
    this.#counters = parts.counters;
    this.#clock = parts.clock;
    this.#dirt = parts.dirt;
    this.#size = parts.dirt.baseline.sizeBytes;
    this.#cache = new PageCache(parts, this);
    this.#changes = new BackingChanges(parts.backing, parts.dirt, (sizeBytes) => {
      this.#size = sizeBytes;
      this.#edits.add();
      // Never rejects; whoever wants these pages meets the punches among the ranges in flight.
      void this.#cache.drop([WHOLE]);
    });
  }

  get size(): bigint {
    return this.#size;
  }

  get version(): string | undefined {
    return this.#edits.current?.toString(36);
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
    const attributes = { ...this.#backing.attributes(), sizeBytes: this.#size };
    if (this.#dirt.bytes === 0n) return { ...attributes, dirty: [] };
    return {
      ...attributes,
      modificationTimeNs: this.#dirtiedAtNs,
      statusChangeTimeNs: this.#dirtiedAtNs,
      dirty: [
        ...this.#size > this.#dirt.baseline.sizeBytes ? ["size" as const] : [],
        "modificationTime",
        "statusChangeTime",
      ],
    };
  }

  readNow(into: Uint8Array<ArrayBuffer>, offset: bigint): number | undefined {
    const range = { start: offset, end: minOf(offset + BigInt(into.byteLength), this.#size) };
    if (range.start >= range.end) return 0;
    if (!this.#cache.resident.covers(range)) return undefined;
    const length = Number(range.end - range.start);
    this.#cache.file.load(into.subarray(0, length), offset);
    this.#cache.resident.touch(range);
    this.#counters.count("hits");
    return length;
  }

  async read(into: Uint8Array<ArrayBuffer>, offset: bigint): Promise<number> {
    this.#counters.count("misses");
    for (let at = offset;;) {
      // The size is asked anew after each wait: a truncate may have come in between.
      const end = minOf(offset + BigInt(into.byteLength), this.#size);
      if (at >= end) return Number(at - offset);
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

  write(bytes: Uint8Array<ArrayBuffer>, offset: bigint): Promise<void> {
    return this.#writes.run(() => this.#edits.during(() => this.#write(bytes, offset)));
  }

  replace(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    return this.#writes.run(() =>
      this.#edits.during(async () => {
        await this.#write(bytes, 0n);
        await this.#truncate(BigInt(bytes.byteLength));
        await this.#changes.endConflict();
        await this.#dirt.flush();
      })
    );
  }

  sync(): Promise<void> {
    return this.#writeBack(WHOLE, true);
  }

  writeBack(range: Range): Promise<void> {
    return this.#writeBack(range, false);
  }

  async evict(range: Range): Promise<Evicted> {
    const pages = pagesOf(intersection(range, { start: 0n, end: pageEnd(this.#size) }));
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
    const kept = this.#cache.resident.within(pages);
    await dropped;
    return { bytes, refused: kept.map(({ start, end }) => ({ range: { start, end }, why })) };
  }

  dropClean(range: Range): Promise<void> {
    const clean = new Segments<true>();
    for (const run of this.#cache.resident.within(range)) clean.set(run, true);
    for (const dirt of this.#dirt.within(pagesOf(range))) clean.clear(pagesOf(dirt));
    this.#counters.count("evictedBytes", Number(clean.length));
    return this.#cache.drop([...clean]);
  }

  revalidate(): Promise<void> {
    return this.#changes.revalidate();
  }

  async endedEarly(at: bigint): Promise<void> {
    await this.#changes.revalidate();
    if (this.#size > at) throw this.#backing.endedEarly(at, this.#size);
  }

  settled(): Promise<void> {
    return this.#dirt.flush();
  }

  pages(): readonly PageRun[] {
    const runs = new Segments<PageRun["state"]>();
    for (const run of this.#cache.resident.within(WHOLE)) runs.set(run, "clean");
    for (const { start, end, value } of this.#dirt.within(WHOLE)) {
      runs.update(pagesOf({ start, end }), (state) => {
        if (state === undefined) return undefined;
        return value.keep || state === "kept-dirty" ? "kept-dirty" : "dirty";
      });
    }
    return [...runs].map(({ start, end, value }) => ({ start, end, state: value }));
  }

  async close(): Promise<void> {
    const { inFlight, resident, file } = this.#cache;
    resident.remove(WHOLE);
    for (let busy; (busy = inFlight.within(WHOLE)) !== undefined;) await busy.catch(() => {});
    // The budget may still be writing this inode back to make room for another one.
    await this.#changes.atLast(async () => {
      await this.#dirt.close();
      file.close();
      this.#backing.file.close();
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
    const read = BigInt(await this.#backing.read(slice(into, offset, part), start));
    if (start + read < part.end) await this.endedEarly(start + read);
    return read;
  }

  async #write(bytes: Uint8Array<ArrayBuffer>, offset: bigint): Promise<void> {
    // A journal that cannot be written must not take on more: this also tries it again.
    await this.#dirt.flush();
    const end = offset + BigInt(bytes.byteLength);
    for (let at = offset; at < end;) {
      const run = this.#cache.resident.at(at);
      const gap = this.#cache.resident.gapAround(at, { start: 0n, end });
      const part = { start: at, end: minOf((run ?? gap).end, end) };
      at = run === undefined
        ? await this.#writePast(bytes, offset, part)
        : await this.#writeCached(bytes, offset, part);
      this.#size = maxOf(this.#size, at);
    }
    await this.#dirt.flush();
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
      throw new Fault(
        "cache-full",
        `Cannot write ${this.#backing.name}: ${this.#budget.dirtyBytes} bytes wait for a backing ` +
          `file that does not take them; try again when it does`,
      );
    }
    this.#cache.file.store(slice(bytes, offset, part), part.start);
    this.#dirt.markDirty(part);
    this.#cache.resident.touch(part);
    this.#dirtiedAtNs = this.#clock.wallNs();
    return part.end;
  }

  /** Writes what is not cached to the backing file. Returns as `#writeCached`. */
  async #writePast(bytes: Uint8Array<ArrayBuffer>, offset: bigint, part: Range): Promise<bigint> {
    const pages = pagesOf(part);
    const busy = this.#cache.inFlight.within(pages);
    if (busy !== undefined) {
      await busy.catch(() => {});
      return part.start;
    }
    await this.#cache.inFlight.run(pages, async () => {
      await this.#changes.make(() => this.#backing.write(slice(bytes, offset, part), part.start));
      return "again";
    });
    return part.end;
  }

  async #truncate(size: bigint): Promise<void> {
    const { inFlight, resident, file } = this.#cache;
    await this.#saveBeyond(size);
    const tail = { start: pageStart(size), end: WHOLE.end };
    for (let busy; (busy = inFlight.within(tail)) !== undefined;) await busy.catch(() => {});
    await inFlight.run(tail, async () => {
      await this.#changes.make(() => this.#backing.truncate(size));
      this.#size = size;
      this.#dirt.forget({ start: size, end: WHOLE.end });
      // A later growth must find zeros between the old end and the new one.
      if (resident.at(size) !== undefined) {
        file.store(new Uint8Array(Number(pageEnd(size) - size)), size);
      }
      await this.#cache.drop([{ start: pageEnd(size), end: WHOLE.end }]);
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
    try {
      const hadDirt = await this.#changes.writeBack(range, durable, (dirt) => this.#copy(dirt));
      if (hadDirt) this.#counters.count("writeBacks");
      if (hadDirt || durable) this.#failure = undefined;
    } catch (error) {
      this.#counters.count("errors");
      if (error instanceof Fault) this.#failure = error;
      throw error;
    }
  }

  async #copy(dirt: Range): Promise<void> {
    const buffer = new Uint8Array(Math.min(Number(dirt.end - dirt.start), WRITE_BACK_BYTES));
    for (let at = dirt.start; at < dirt.end;) {
      const part = buffer.subarray(0, Math.min(buffer.byteLength, Number(dirt.end - at)));
      this.#cache.file.load(part, at);
      await this.#backing.write(part, at);
      at += BigInt(part.byteLength);
    }
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
