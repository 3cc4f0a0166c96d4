import { FILL_BYTES_MAX } from "../../core/limits.ts";
import type { AttributeChange } from "../../core/ports/backing_file.ts";
import type { Clock } from "../../core/ports/clock.ts";
import { minOf, type Range } from "../../core/segments.ts";
import type { Backing } from "../backing/backing.ts";
import type { BackingChanges } from "../writeback/backing_changes.ts";
import type { DirtyLog } from "../writeback/dirty_log.ts";
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
  readonly dirty: DirtyLog;
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
 * Changes cached content: in cached pages, otherwise straight in the backing file (gVisor's `Write`,
 * `Truncate` and `Allocate`). The caller sees to it that there is one change at a time.
 */
export class CachedEdits {
  readonly #parts: CachedEditsParts;

  constructor(parts: CachedEditsParts) {
    this.#parts = parts;
  }

  /**
   * Writes all bytes.
   *
   * @param isThrough Whether bytes of cached pages go to the backing file as well
   */
  async write(
    bytes: Uint8Array<ArrayBuffer>,
    offset: bigint,
    isThrough: boolean,
  ): Promise<void> {
    const { cache: { resident }, dirty } = this.#parts;
    const end = offset + BigInt(bytes.byteLength);
    for (let at = offset; at < end;) {
      const run = resident.at(at);
      const gap = resident.gapAround(at, { start: 0n, end });
      const part = { start: at, end: minOf((run ?? gap).end, end) };
      at = run === undefined || isThrough
        ? await this.#writePast(bytes, offset, isThrough ? { start: at, end } : part)
        : await this.#writeCached(bytes, offset, part);
      dirty.grow(at);
    }
  }

  /** Sees to it that a content of this length finds room. */
  reserve(length: bigint): Promise<void> {
    const { backing, changes } = this.#parts;
    return changes.make(() => backing.reserve(length));
  }

  /** Reserves storage, and extends the content to the end of the range if it is shorter. */
  async allocate(offset: bigint, length: bigint): Promise<void> {
    const { backing, changes, dirty, times } = this.#parts;
    await changes.make(() => backing.allocate(offset, length));
    times.noteHostWrite();
    dirty.grow(offset + length);
  }

  /** Sets attributes in the backing file. */
  async change(change: AttributeChange): Promise<void> {
    const { backing, changes, dirty, times } = this.#parts;
    await changes.make(() => backing.change(change));
    times.override(change);
    const { modificationTimeNs } = change;
    if (modificationTimeNs !== undefined && dirty.bytes > 0n) {
      times.restoreModification(modificationTimeNs);
    }
  }

  /** Sets the size: cuts, or fills up with zeros. */
  async truncate(size: bigint): Promise<void> {
    const { backing, cache: { inFlight }, changes, dirty, times } = this.#parts;
    await this.#saveBeyond(size);
    const tail = { start: pageStart(size), end: WHOLE.end };
    await inFlight.runAlone(tail, async () => {
      await changes.make(() => backing.truncate(size));
      times.noteHostWrite();
      if (size < dirty.size) await this.#cut(size);
      else dirty.grow(size);
      // With the dirty bytes gone, the foreign change below them is no conflict any more.
      if (dirty.isOvertaken && dirty.bytes === 0n) await changes.endConflict();
      return "again";
    });
  }

  /** Cuts what is cached off behind a new end. */
  async #cut(size: bigint): Promise<void> {
    const { cache, dirty, onCut } = this.#parts;
    const before = dirty.size;
    dirty.cut(size, pageEnd(size));
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
    const { cache, clock, dirty, times } = this.#parts;
    const part = { start: run.start, end: minOf(run.end, run.start + FILL) };
    if (!dirty.admits(part)) {
      if (await dirty.relieve(part)) return part.start;
      throw cache.fullFault();
    }
    cache.file.store(sliceOf(bytes, offset, part), part.start);
    dirty.markDirty(part);
    cache.resident.touch(part);
    times.noteWrite(clock.wallNs());
    return part.end;
  }

  /**
   * Writes to the backing file, and to cached pages as well where there are any. Returns as
   * `#writeCached`.
   */
  async #writePast(bytes: Uint8Array<ArrayBuffer>, offset: bigint, part: Range): Promise<bigint> {
    const { backing, cache, changes, dirty, dropClean, times } = this.#parts;
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
          // A part of it may be in the file, so cached pages with the older bytes are wrong, and the
          // file may have grown.
          for (const run of resident.within(pages)) void dropClean(run);
          dirty.grow(backing.attributes().sizeBytes);
          throw error;
        }
        // Within the change; otherwise a write-back could bring the older bytes back in between.
        for (const run of resident.within(part)) {
          file.store(sliceOf(bytes, offset, run), run.start);
        }
      });
      times.noteHostWrite();
      return "again";
    });
    return part.end;
  }

  /**
   * Writes back the dirty bytes that a truncate is about to cut off. A crash on the way must find
   * either the old end or the new one, not old dirty bytes behind zeros.
   */
  async #saveBeyond(size: bigint): Promise<void> {
    const { dirty, writeBack } = this.#parts;
    const beyond = { start: size, end: WHOLE.end };
    if (dirty.lengthWithin(beyond) === 0n) return;
    try {
      await writeBack.run(beyond, false);
    } catch (error) {
      if (!dirty.isOvertaken) throw error;
    }
  }
}
