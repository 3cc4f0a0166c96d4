import { Fault } from "../../core/faults.ts";
import { CACHE_DIRTY_DIVISOR, DIRTY_RUNS_MAX } from "../../core/limits.ts";
import type { Range } from "../../core/segments.ts";
import { WHOLE } from "../ranges/dirty_set.ts";

/** Whoever has pages in the cache. */
export interface PageOwner {
  readonly dirtyBytes: bigint;
  /**
   * Drops the clean pages of a range. They are counted out before this returns; the promise, which
   * never rejects, ends when their storage is given back.
   */
  dropClean(range: Range): Promise<void>;
  /** Writes the dirt of a range back, so that its pages become clean. */
  writeBack(range: Range): Promise<void>;
}

/** Neighbouring pages that are taken and dropped together. */
export interface Block extends Range {
  readonly owner: PageOwner;
  /** It was used since the clock's hand came by. */
  referenced: boolean;
}

/**
 * The bytes that the caches of all inodes share (spec decision 5). Room is made by a second-chance
 * clock: clean pages go first, then dirty ones after their write-back.
 */
export class CacheBudget {
  /** Bytes that may be dirty at one time. */
  readonly dirtyLimitBytes: number;
  /** The clock: a hand that takes from the front and puts back at the end. */
  readonly #ring = new Set<Block>();
  #usedBytes = 0;
  #dirtyBytes = 0n;
  #dirtyRuns = 0;

  constructor(readonly limitBytes: number) {
    this.dirtyLimitBytes = Math.floor(limitBytes / CACHE_DIRTY_DIVISOR);
  }

  /** Bytes of cached pages, with those that are reserved for fills under way. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  get dirtyBytes(): bigint {
    return this.#dirtyBytes;
  }

  enter(block: Block): void {
    this.#ring.add(block);
  }

  leave(block: Block): void {
    this.#ring.delete(block);
  }

  /** Counts dirt that came (positive) or went, and the runs in which it lies. */
  countDirt(bytes: bigint, runs: number): void {
    this.#dirtyBytes += bytes;
    this.#dirtyRuns += runs;
  }

  /** Takes room for pages, dropping others where it must. `false` when there is none to be had. */
  async reserve(bytes: number): Promise<boolean> {
    return await this.#dropFor(bytes) || await this.#writeBackFor(bytes);
  }

  /** Gives room back that was reserved, or whose pages are gone. */
  release(bytes: number): void {
    this.#usedBytes -= bytes;
  }

  /** Whether so many more bytes may become dirty now. */
  admitsDirt(bytes: bigint): boolean {
    return this.#dirtyRuns < DIRTY_RUNS_MAX &&
      this.#dirtyBytes + bytes <= BigInt(this.dirtyLimitBytes);
  }

  /** Writes dirt back until so many more bytes may become dirty. `false` when that fails. */
  async relieve(bytes: bigint): Promise<boolean> {
    for (const owner of this.#owners()) {
      if (this.admitsDirt(bytes)) return true;
      if (owner.dirtyBytes > 0n) await owner.writeBack(WHOLE).catch(() => {});
    }
    return this.admitsDirt(bytes);
  }

  /** The fault of whoever finds no room, for a backing file that is called so. */
  fullFault(name: string): Fault {
    return new Fault(
      "cache-full",
      `Cannot cache more of ${name}: ${this.#dirtyBytes} bytes in ${this.#dirtyRuns} runs wait ` +
        "for a backing file that does not take them, or are mapped; try again when it does",
    );
  }

  async #dropFor(bytes: number): Promise<boolean> {
    const dropping: Promise<void>[] = [];
    // Two rounds: the first may find every block referenced.
    for (let left = 2 * this.#ring.size; left > 0 && !this.#hasRoom(bytes); left--) {
      const [block] = this.#ring;
      if (block === undefined) break;
      this.#ring.delete(block);
      this.#ring.add(block);
      if (block.referenced) block.referenced = false;
      else dropping.push(block.owner.dropClean(block));
    }
    const fits = this.#hasRoom(bytes);
    // Taken before the first wait, or another fill could take it meanwhile.
    if (fits) this.#usedBytes += bytes;
    await Promise.all(dropping);
    return fits;
  }

  async #writeBackFor(bytes: number): Promise<boolean> {
    for (const owner of this.#owners()) {
      if (owner.dirtyBytes === 0n) continue;
      const isClean = await owner.writeBack(WHOLE).then(() => true, () => false);
      if (isClean && await this.#dropFor(bytes)) return true;
    }
    return false;
  }

  #owners(): Set<PageOwner> {
    return new Set([...this.#ring].map((block) => block.owner));
  }

  #hasRoom(bytes: number): boolean {
    return this.#usedBytes + bytes <= this.limitBytes;
  }
}
