import { FILL_BYTES_MAX, PAGE_BYTES } from "../../core/limits.ts";
import { type Range, type Segment, Segments } from "../../core/segments.ts";
import type { Block, CacheBudget, PageOwner } from "./cache_budget.ts";

const PAGE = BigInt(PAGE_BYTES);
const BLOCK = BigInt(FILL_BYTES_MAX);
/** Block size as a shift, which costs half as much as a division. */
const BLOCK_BITS = BigInt(Math.log2(FILL_BYTES_MAX));

/** Start of the page that holds an offset. */
export function pageStart(offset: bigint): bigint {
  return offset - offset % PAGE;
}

/** The first page border at or after an offset. */
export function pageEnd(offset: bigint): bigint {
  return pageStart(offset + PAGE - 1n);
}

/** A range, widened to whole pages. */
export function pagesOf(range: Range): Range {
  return { start: pageStart(range.start), end: pageEnd(range.end) };
}

/** Which pages of one inode are in the cache. They count in the shared budget. */
export class Residency {
  readonly #pages = new Segments<true>();
  /** By their index in the file, which is below 2^48. */
  readonly #blocks = new Map<number, Block>();
  readonly #budget: CacheBudget;
  readonly #owner: PageOwner;

  constructor(budget: CacheBudget, owner: PageOwner) {
    this.#budget = budget;
    this.#owner = owner;
  }

  /** Bytes of pages in the cache. */
  get bytes(): bigint {
    return this.#pages.length;
  }

  /** The run of pages around an offset, `undefined` when its page is not in the cache. */
  at(offset: bigint): Range | undefined {
    return this.#pages.at(offset);
  }

  /** The gap around an offset whose page is not in the cache, within `bounds`. */
  gapAround(offset: bigint, bounds: Range): Range {
    return {
      start: this.#pages.previousEnd(offset) ?? bounds.start,
      end: this.#pages.nextStart(offset) ?? bounds.end,
    };
  }

  covers(range: Range): boolean {
    return this.#pages.covers(range);
  }

  /** The runs of pages in a range, cut to it. */
  within(range: Range): Segment<true>[] {
    return this.#pages.within(range);
  }

  /** Notes that pages were used. */
  touch(range: Range): void {
    const last = lastBlock(range);
    for (let index = firstBlock(range); index <= last; index++) {
      const block = this.#blocks.get(index);
      if (block !== undefined) block.referenced = true;
    }
  }

  /** Adds pages, for which room must have been reserved. */
  add(range: Range): void {
    this.#pages.set(range, true);
    const last = lastBlock(range);
    for (let index = firstBlock(range); index <= last; index++) {
      const block = this.#blocks.get(index) ?? this.#newBlock(index);
      block.referenced = true;
    }
  }

  /** Removes pages and gives their room back. Returns the runs that were there. */
  remove(range: Range): Range[] {
    const runs = this.#pages.within(range);
    for (const run of runs) {
      this.#pages.clear(run);
      this.#budget.release(Number(run.end - run.start));
      const last = lastBlock(run);
      for (let index = firstBlock(run); index <= last; index++) this.#leave(index);
    }
    return runs;
  }

  #newBlock(index: number): Block {
    const block = {
      owner: this.#owner,
      start: BigInt(index) * BLOCK,
      end: BigInt(index + 1) * BLOCK,
      referenced: true,
    };
    this.#blocks.set(index, block);
    this.#budget.enter(block);
    return block;
  }

  #leave(index: number): void {
    const block = this.#blocks.get(index);
    if (block === undefined || this.#pages.lengthWithin(block) > 0n) return;
    this.#blocks.delete(index);
    this.#budget.leave(block);
  }
}

function firstBlock({ start }: Range): number {
  return Number(start >> BLOCK_BITS);
}

function lastBlock({ end }: Range): number {
  return Number((end - 1n) >> BLOCK_BITS);
}
