/**
 * Half-open ranges of a file. Offsets are `bigint`, because a sparse file may really end at
 * 2^63 - 1, where a `number` would round without an error.
 *
 * @module
 */

/** Offsets from `start` up to, not including, `end`. */
export interface Range {
  readonly start: bigint;
  readonly end: bigint;
}

/** A range whose every offset has this value. */
export interface Segment<Value> extends Range {
  readonly value: Value;
}

/** The range that two ranges share; empty (`start >= end`) when they share none. */
export function intersection(a: Range, b: Range): Range {
  return { start: maxOf(a.start, b.start), end: minOf(a.end, b.end) };
}

/** The smaller of two offsets. */
export function minOf(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

/** The larger of two offsets. */
export function maxOf(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

/** Above this many pieces `splice` would be called with too many arguments for the stack. */
const SPLICE_ITEMS_MAX = 1024;

/**
 * Ordered set of non-empty half-open ranges that do not overlap, each with a value. Residency,
 * dirty ranges and page references rest on it, as gVisor's `FileRangeSet`, `DirtySet` and
 * `FrameRefSet` rest on its segment set. Touching ranges with the same value are always merged.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Segments } from "./segments.ts";
 *
 * const counts = new Segments<number>();
 * counts.set({ start: 0n, end: 4n }, 1);
 * counts.update({ start: 2n, end: 6n }, (count) => (count ?? 0) + 1);
 * assertEquals([...counts], [
 *   { start: 0n, end: 2n, value: 1 },
 *   { start: 2n, end: 4n, value: 2 },
 *   { start: 4n, end: 6n, value: 1 },
 * ]);
 * ```
 */
export class Segments<Value> {
  readonly #same: (a: Value, b: Value) => boolean;
  #items: Segment<Value>[] = [];
  #length = 0n;

  /** @param same Whether two values are equal, so that touching ranges with them are merged */
  constructor(same: (a: Value, b: Value) => boolean = Object.is) {
    this.#same = same;
  }

  /** How many segments there are. */
  get count(): number {
    return this.#items.length;
  }

  /** How many offsets are covered. */
  get length(): bigint {
    return this.#length;
  }

  /** All segments in ascending order. */
  [Symbol.iterator](): IterableIterator<Segment<Value>> {
    return this.#items.values();
  }

  /** The segment that holds an offset. */
  at(offset: bigint): Segment<Value> | undefined {
    const item = this.#items[this.#firstEndingAfter(offset)];
    return item !== undefined && item.start <= offset ? item : undefined;
  }

  /** Start of the first segment after an offset that is in a gap. */
  nextStart(offset: bigint): bigint | undefined {
    return this.#items[this.#firstEndingAfter(offset)]?.start;
  }

  /** End of the last segment before an offset that is in a gap. */
  previousEnd(offset: bigint): bigint | undefined {
    return this.#items[this.#firstEndingAfter(offset) - 1]?.end;
  }

  /** Whether every offset of a range is covered. */
  covers(range: Range): boolean {
    let at = range.start;
    for (let index = this.#firstEndingAfter(at); at < range.end; index++) {
      const item = this.#items[index];
      if (item === undefined || item.start > at) return false;
      at = item.end;
    }
    return true;
  }

  /** A copy of the segments in a range, cut to it, in ascending order. */
  within(range: Range): Segment<Value>[] {
    const found: Segment<Value>[] = [];
    if (range.start >= range.end) return found;
    for (let index = this.#firstEndingAfter(range.start);; index++) {
      const item = this.#items[index];
      if (item === undefined || item.start >= range.end) return found;
      found.push({ ...intersection(item, range), value: item.value });
    }
  }

  /** How many offsets of a range are covered. */
  lengthWithin(range: Range): bigint {
    return this.within(range).reduce((sum, part) => sum + part.end - part.start, 0n);
  }

  /** Gives every offset of a range this value. */
  set(range: Range, value: Value): void {
    this.update(range, () => value);
  }

  /** Uncovers a range. */
  clear(range: Range): void {
    this.update(range, () => undefined);
  }

  /**
   * Changes a range part by part: `change` gets the value of each part, `undefined` for a gap, and
   * returns the new one, `undefined` to uncover it.
   */
  update(range: Range, change: (value: Value | undefined) => Value | undefined): void {
    if (range.start >= range.end) return;
    const pieces: Segment<Value>[] = [];
    const put = (start: bigint, end: bigint, value: Value | undefined): void => {
      if (start >= end || value === undefined) return;
      const last = pieces.at(-1);
      if (last !== undefined && last.end === start && this.#same(last.value, value)) {
        pieces[pieces.length - 1] = { start: last.start, end, value: last.value };
      } else pieces.push({ start, end, value });
    };
    let first = this.#firstEndingAfter(range.start);
    let next = first;
    // A segment that only touches the range is included, since it may be merged with the change.
    if (this.#items[first - 1]?.end === range.start) {
      first--;
      const { start, end, value } = this.#items[first] as Segment<Value>;
      put(start, end, value);
    }
    let at = range.start;
    for (let item; (item = this.#items[next]) !== undefined && item.start <= range.end; next++) {
      put(item.start, minOf(item.end, range.start), item.value);
      const part = intersection(item, range);
      if (at < part.start) put(at, part.start, change(undefined));
      if (part.start < part.end) put(part.start, part.end, change(item.value));
      put(maxOf(item.start, range.end), item.end, item.value);
      at = maxOf(at, part.end);
    }
    if (at < range.end) put(at, range.end, change(undefined));
    this.#replace(first, next, pieces);
  }

  #replace(first: number, next: number, pieces: readonly Segment<Value>[]): void {
    for (let index = first; index < next; index++) {
      const { start, end } = this.#items[index] as Segment<Value>;
      this.#length -= end - start;
    }
    for (const { start, end } of pieces) this.#length += end - start;
    if (pieces.length <= SPLICE_ITEMS_MAX) this.#items.splice(first, next - first, ...pieces);
    else this.#items = this.#items.slice(0, first).concat(pieces, this.#items.slice(next));
  }

  /** Index of the first segment that ends after an offset. */
  #firstEndingAfter(offset: bigint): number {
    let low = 0;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#items[middle] as Segment<Value>).end > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
