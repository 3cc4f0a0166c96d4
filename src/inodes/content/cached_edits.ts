import { FILL_BYTES_MAX } from "../../core/limits.ts";
import type { AttributeChange } from "../../core/ports/backing_file.ts";
import type { Clock } from "../../core/ports/clock.ts";
import { minOf, type Range } from "../../core/segments.ts";
import type { Backing } from "../backing/backing.ts";
import type { BackingChanges } from "../writeback/backing_changes.ts";
import type { CacheBudget } from "../cache/cache_budget.ts";
import type { DirtLog } from "../writeback/dirty_log.ts";
import { WHOLE } from "../ranges/dirty_set.ts";
import type { PageCache } from "../cache/page_cache.ts";
import { pageEnd, pagesOf, pageStart } from "../cache/residency.ts";
import { sliceOf } from "../ranges/page_slice.ts";
import type { TouchedTimes } from "../writeback/touched_times.ts";
import type { WriteBack } from "../writeback/write_back.ts";

/** What edits of cached content are put together from. */
interface CachedEditsParts {
  readonly backing: Backing;
  readonly cache: PageCache;
  readonly budget: CacheBudget;
  readonly dirt: DirtLog;
  readonly changes: BackingChanges;
  readonly writeBack: WriteBack;
  readonly times: TouchedTimes;
  readonly clock: Clock;
  /** Drops the clean pages of a range. Never rejects. */
  readonly dropClean: (range: Range) => Promise<void>;
  /** Called when pages were cut off. */
  readonly onCut: (range: Range) => void;
}

const FILL = BigInt(FILL_BYTES_MAX);

/**
 * Changes cached content (seed 001, `Write`, `Truncate`, `Allocate`): to cached pages, otherwise
 * straight to the backing file. One at a time, which its caller sees to.
 */
export class CachedEdits {
  readonly #parts: CachedEditsParts;

  constructor(parts: CachedEditsParts) {
    this.#parts = parts;
  }

  /**
   * Writes all bytes.
   *
   * @param isThrough Whether they go to the backing file as well where their pages are cached
   */
  async write(
    bytes: Uint8Array<ArrayBuffer>,
    offset: bigint,
    isThrough: boolean,
  ): Promise<void> {
    const { resident } = this.#parts.cache;
    const end = offset + BigInt(bytes.byteLength);
    for (let at = offset; at < end;) {
      const run = resident.at(at);
      const gap = resident.gapAround(at, { start: 0n, end });
      const part = { start: at, end: minOf((run ?? gap).end, end) };
      at = run === undefined || isThrough
        ? await this.#writePast(bytes, offset, isThrough ? { start: at, end } : part)
        : await this.#writeCached(bytes, offset, part);
      this.#grow(at);
    }
  }

  /** Reserves storage, and makes the content so long at least. */
  async allocate(offset: bigint, length: bigint): Promise<void> {
    const { backing, changes, times } = this.#parts;
    await changes.make(() => backing.allocate(offset, length));
    times.noteHostWrite();
    this.#grow(offset + length);
  }

  /** Sets attributes in the backing file. */
  async change(change: AttributeChange): Promise<void> {
    const { backing, changes, dirt, times } = this.#parts;
    await changes.make(() => backing.change(change));
    times.override(change);
    const { modificationTimeNs } = change;
    if (modificationTimeNs !== undefined && dirt.bytes > 0n) {
      times.keepModification(modificationTimeNs);
    }
  }

  /** Sets the size: cuts, or fills up with zeros. */
  async truncate(size: bigint): Promise<void> {
    const { backing, cache: { inFlight }, changes, dirt, times } = this.#parts;
    await this.#saveBeyond(size);
    const tail = { start: pageStart(size), end: WHOLE.end };
    for (let busy; (busy = inFlight.within(tail)) !== undefined;) await busy.catch(() => {});
    await inFlight.run(tail, async () => {
      await changes.make(() => backing.truncate(size));
      times.noteHostWrite();
      if (size >= dirt.size) this.#grow(size);
      else await this.#cut(size);
      // What was changed from outside below it went with the dirt.
      if (dirt.isOvertaken && dirt.bytes === 0n) await changes.endConflict();
      return "again";
    });
  }

  /** Cuts what is cached off behind a new end. */
  async #cut(size: bigint): Promise<void> {
    const { cache, dirt, onCut } = this.#parts;
    const before = dirt.size;
    dirt.cut(size, pageEnd(size));
    if (pageEnd(size) < pageEnd(before)) onCut({ start: pageEnd(size), end: pageEnd(before) });
    // A later growth must find zeros between the old end and the new one.
    if (cache.resident.at(size) !== undefined) {
      cache.file.store(new Uint8Array(Number(pageEnd(size) - size)), size);
    }
    await cache.drop([{ start: pageEnd(size), end: WHOLE.end }]);
  }

  /** Writes to cached pages. Returns how far it came: nowhere when it had to wait. */
  async #writeCached(
    bytes: Uint8Array<ArrayBuffer>,
    offset: bigint,
    run: Range,
  ): Promise<bigint> {
    const { backing, budget, cache, clock, dirt, times } = this.#parts;
    const part = { start: run.start, end: minOf(run.end, run.start + FILL) };
    const fresh = dirt.cleanWithin(part);
    if (!budget.admitsDirt(fresh)) {
      if (await budget.relieve(fresh)) return part.start;
      throw budget.fullFault(backing.name);
    }
    cache.file.store(sliceOf(bytes, offset, part), part.start);
    dirt.markDirty(part);
    cache.resident.touch(part);
    times.noteWrite(clock.wallNs());
    return part.end;
  }

  /**
   * Writes to the backing file, and to cached pages as well where there are any. Returns as
   * `#writeCached`.
   */
  async #writePast(bytes: Uint8Array<ArrayBuffer>, offset: bigint, part: Range): Promise<bigint> {
    const { backing, cache, changes, dropClean, times } = this.#parts;
    const pages = pagesOf(part);
    const { inFlight, resident, file } = cache;
    const busy = inFlight.within(pages);
    if (busy !== undefined) {
      await busy.catch(() => {});
      return part.start;
    }
    await inFlight.run(pages, async () => {
      await changes.make(async () => {
        try {
          await backing.write(sliceOf(bytes, offset, part), part.start);
        } catch (error) {
          // Part of it may be in the file: pages that have the bytes before are wrong.
          for (const run of resident.within(pages)) void dropClean(run);
          throw error;
        }
        // Within the change, or a write-back could come between with the bytes before.
        for (const run of resident.within(part)) {
          file.store(sliceOf(bytes, offset, run), run.start);
        }
      });
      times.noteHostWrite();
      return "again";
    });
    return part.end;
  }

  #grow(end: bigint): void {
    const { dirt } = this.#parts;
    if (end > dirt.size) dirt.grow(end);
  }

  /**
   * Writes dirt back that a truncate is about to cut off: a crash on the way must find either the
   * old end or the new one, not old dirt behind zeros.
   */
  async #saveBeyond(size: bigint): Promise<void> {
    const { dirt, writeBack } = this.#parts;
    const beyond = { start: size, end: WHOLE.end };
    if (dirt.lengthWithin(beyond) === 0n) return;
    try {
      await writeBack.run(beyond, false);
    } catch (error) {
      if (!dirt.isOvertaken) throw error;
    }
  }
}
