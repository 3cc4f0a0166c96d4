import type { Fault } from "../../core/faults.ts";
import {
  FILL_BYTES_MAX,
  READ_AHEAD_BYTES_MAX,
  READ_AHEAD_CACHE_DIVISOR,
} from "../../core/limits.ts";
import type { CacheFile } from "../../core/ports/cache_file.ts";
import { maxOf, minOf, type Range } from "../../core/segments.ts";
import type { Backing } from "../backing/backing.ts";
import type { CacheBudget, PageOwner } from "./cache_budget.ts";
import type { CopyBuffers } from "./copy_buffers.ts";
import type { Counters } from "./counters.ts";
import { RangesInFlight } from "../ranges/ranges_in_flight.ts";
import { ReadAhead } from "./read_ahead.ts";
import { pageEnd, pageStart, Residency } from "./residency.ts";

const FILL = BigInt(FILL_BYTES_MAX);

/** What became of a range in flight. Its pages are `uncached` when they found no room. */
type Outcome = "cached" | "uncached" | "again";

/** The content that a page cache serves. */
export interface PageSource extends PageOwner {
  readonly size: bigint;
  /** Changes when foreign content is taken over, which makes earlier reads stale. */
  readonly takeovers: number;
  /** Called when the backing file ended before the size; rejects when nothing explains that. */
  endedEarly(at: bigint): Promise<void>;
  /**
   * Called after a read of the backing file: takes a foreign change over, so that `takeovers` tells.
   *
   * @throws {Fault} `backing-changed` when it cannot be taken over
   */
  requireUnchanged(): Promise<void>;
  /** Resolves when no restart would write a page back that is clean now. */
  settled(): Promise<void>;
}

/** What a page cache is put together from. */
export interface PageCacheParts {
  readonly backing: Backing;
  readonly file: CacheFile;
  readonly budget: CacheBudget;
  readonly buffers: CopyBuffers;
  readonly counters: Counters;
}

/** The cached pages of one inode: how they come in, by fills, and go out, by punches. */
export class PageCache {
  readonly inFlight = new RangesInFlight<Outcome>();
  readonly resident: Residency;
  readonly file: CacheFile;
  readonly #parts: PageCacheParts;
  readonly #source: PageSource;
  readonly #ahead: ReadAhead;

  constructor(parts: PageCacheParts, source: PageSource) {
    const { budget, file } = parts;
    this.file = file;
    this.#parts = parts;
    this.#source = source;
    this.resident = new Residency(budget, source);
    const share = Math.floor(budget.limitBytes / READ_AHEAD_CACHE_DIVISOR);
    const most = Math.max(FILL_BYTES_MAX, Math.min(READ_AHEAD_BYTES_MAX, share));
    this.#ahead = new ReadAhead(FILL_BYTES_MAX, Number(pageStart(BigInt(most))));
  }

  /** The free pages around an offset: not in the cache, and with nothing in flight. */
  gapAround(offset: bigint): Range {
    const bounds = { start: 0n, end: pageEnd(this.#source.size) };
    return this.inFlight.freeAround(offset, this.resident.gapAround(offset, bounds));
  }

  /**
   * Waits for the page at an offset that is not in the cache: for what is in flight there, or for a
   * new fill. Each page is read once, however many wait for it.
   *
   * @param end Where the request ends
   */
  fetch(at: bigint, end: bigint): Promise<Outcome> {
    const underWay = this.inFlight.at(at);
    if (underWay !== undefined) return underWay;
    const wanted = { start: pageStart(at), end: pageEnd(end) };
    const bytes = this.#ahead.windowAt(wanted.start);
    const window = fillWindow(wanted, this.gapAround(at), BigInt(bytes));
    this.#ahead.expect(window.end, bytes);
    return this.inFlight.run(window, () => this.#fill(window));
  }

  /** Takes pages out of the cache at once, and gives their storage back. Never rejects. */
  async drop(ranges: readonly Range[]): Promise<void> {
    const runs = ranges.flatMap((range) => this.resident.remove(range));
    await Promise.all(runs.map((run) => this.inFlight.run(run, () => this.#punch(run))));
  }

  /** The fault of a caller that finds no room in the cache. */
  fullFault(): Fault {
    return this.#parts.budget.fullFault(this.#parts.backing.name);
  }

  async #fill(window: Range): Promise<Outcome> {
    const { budget, buffers, counters } = this.#parts;
    const windowBytes = Number(window.end - window.start);
    if (!await budget.reserve(windowBytes)) return "uncached";
    let storedBytes = 0;
    try {
      return await buffers.lend(windowBytes, async (buffer) => {
        const bytes = await this.#readWindow(buffer, window);
        if (typeof bytes === "string") return bytes;
        this.file.store(bytes, window.start);
        storedBytes = bytes.byteLength;
        this.resident.add({ start: window.start, end: window.start + BigInt(storedBytes) });
        counters.count("fills");
        return "cached";
      });
    } catch (error) {
      counters.count("errors");
      throw error;
    } finally {
      budget.release(windowBytes - storedBytes);
    }
  }

  /** Reads whole pages from the start of a window on, as many as have storage in the cache. */
  async #readWindow(
    buffer: Uint8Array<ArrayBuffer>,
    window: Range,
  ): Promise<Uint8Array<ArrayBuffer> | Outcome> {
    const { takeovers } = this.#source;
    const wantedBytes = Number(minOf(window.end, this.#source.size) - window.start);
    if (wantedBytes <= 0) return "again";
    const { done, failure } = await this.#parts.backing.readSome(
      buffer.subarray(0, wantedBytes),
      window.start,
    );
    if (failure === undefined && done < wantedBytes) {
      await this.#source.endedEarly(window.start + BigInt(done));
      return "again";
    }
    // Otherwise pages of one version would stand beside pages of another.
    await this.#source.requireUnchanged();
    if (this.#source.takeovers !== takeovers) return "again";
    // The rest of the last page, behind the end of the content, must read as zeros.
    buffer.fill(0, wantedBytes);
    // Whole pages before a failure are good. The failing page fails again when it is read itself.
    const goodBytes = failure === undefined ? buffer.byteLength : Number(pageStart(BigInt(done)));
    if (goodBytes === 0) throw failure;
    const isStored = await this.#reserve({
      start: window.start,
      end: window.start + BigInt(goodBytes),
    });
    if (this.#source.takeovers !== takeovers) return "again";
    return isStored ? buffer.subarray(0, goodBytes) : "uncached";
  }

  /** Takes storage for pages. A cache that cannot grow must not keep anybody from reading. */
  async #reserve(range: Range): Promise<boolean> {
    try {
      await this.file.reserve(range);
      return true;
    } catch {
      this.#parts.counters.count("errors");
      return false;
    }
  }

  async #punch(run: Range): Promise<Outcome> {
    try {
      await this.#source.settled();
      await this.file.punch(run);
    } catch {
      // The pages are out of use either way. Only their storage is not given back.
      this.#parts.counters.count("errors");
    }
    return "again";
  }
}

/**
 * What one fill reads of a gap to get the wanted range (gVisor's maxFillRange, docs/inodes.md#3).
 *
 * @param bytes How much of a large gap
 */
function fillWindow(wanted: Range, gap: Range, bytes: bigint): Range {
  if (gap.end - gap.start <= FILL) return gap;
  const start = maxOf(wanted.start, gap.start);
  return { start, end: minOf(gap.end, start + bytes) };
}
