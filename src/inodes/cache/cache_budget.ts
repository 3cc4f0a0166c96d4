import { Fault } from "../../core/faults.ts";
import { CACHE_DIRTY_DIVISOR, DIRTY_RUNS_MAX } from "../../core/limits.ts";
import type { Range } from "../../core/segments.ts";
import { WHOLE } from "../ranges/dirty_set.ts";

/** An inode that has pages in the cache. */
export interface PageOwner {
  readonly dirtyBytes: bigint;
  /**
   * Drops the clean pages of a range. They are counted out before this returns. The promise, which
   * never rejects, ends when their storage is given back.
   */
  dropClean(range: Range): Promise<void>;
  /** Writes the dirty bytes of a range back, so that its pages become clean. */
  writeBack(range: Range): Promise<void>;
}

/** Neighbouring pages of one owner, which the clock visits together. */
export interface Block extends Range {
  readonly owner: PageOwner;
  /** Whether it was used since the clock's hand came by. */
  referenced: boolean;
}

/**
 * The bytes that the caches of all inodes share. A second-chance clock makes room: clean pages go
 * first, then dirty ones after their write-back (docs/inodes.md#5).
 */
export class CacheBudget {
  /** How many bytes may be dirty at one time. */
  readonly dirtyLimitBytes: number;
  /** The clock. Its hand takes from the front and puts back at the end. */
  readonly #ring = new Set<Block>();
  #usedBytes = 0;
  #dirtyBytes = 0n;
  #dirtyRuns = 0;

  constructor(readonly limitBytes: number) {
    this.dirtyLimitBytes = Math.floor(limitBytes / CACHE_DIRTY_DIVISOR);
  }

  /** Bytes of cached pages, including what is reserved for fills in flight. */
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

  /** Counts dirty bytes that came (positive) or went, and the runs in which they lie. */
  countDirty(bytes: bigint, runs: number): void {
    this.#dirtyBytes += bytes;
    this.#dirtyRuns += runs;
  }

  /** Takes room for pages, dropping others where it must; `false` when there is none to be had. */
  async reserve(bytes: number): Promise<boolean> {
    return await this.#evictFor(bytes) || await this.#writeBackFor(bytes);
  }

  /** Gives room back that was reserved, or whose pages are gone. */
  release(bytes: number): void {
    this.#usedBytes -= bytes;
  }

  /** Whether so many more bytes may become dirty now. */
  admitsDirty(bytes: bigint): boolean {
    return this.#dirtyRuns < DIRTY_RUNS_MAX &&
      this.#dirtyBytes + bytes <= BigInt(this.dirtyLimitBytes);
  }

  /** Writes back until so many more bytes may become dirty; `false` when that does not help. */
  async relieve(bytes: bigint): Promise<boolean> {
    for (const owner of this.#owners()) {
      if (this.admitsDirty(bytes)) return true;
      if (owner.dirtyBytes > 0n) await owner.writeBack(WHOLE).catch(() => {});
    }
    return this.admitsDirty(bytes);
  }

  /** The fault of a caller that finds no room, for a backing file of this name. */
  fullFault(name: string): Fault {
    return new Fault(
      "cache-full",
      `Cannot cache more of ${name}: ${this.#dirtyBytes} bytes in ${this.#dirtyRuns} runs wait ` +
        "for a backing file that does not take them, or are mapped; try again when it does",
    );
  }

  async #evictFor(bytes: number): Promise<boolean> {
    const dropping: Promise<void>[] = [];
    // Two rounds, because the first may find every block referenced.
    for (let left = 2 * this.#ring.size; left > 0 && !this.#hasRoom(bytes); left--) {
      const [block] = this.#ring;
      if (block === undefined) break;
      this.#ring.delete(block);
      this.#ring.add(block);
      if (block.referenced) block.referenced = false;
      else dropping.push(block.owner.dropClean(block));
    }
    const fits = this.#hasRoom(bytes);
    // Taken before the first wait: otherwise another fill could take it meanwhile.
    if (fits) this.#usedBytes += bytes;
    await Promise.all(dropping);
    return fits;
  }

  async #writeBackFor(bytes: number): Promise<boolean> {
    for (const owner of this.#owners()) {
      if (owner.dirtyBytes === 0n) continue;
      const isClean = await owner.writeBack(WHOLE).then(() => true, () => false);
      if (isClean && await this.#evictFor(bytes)) return true;
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
