import { maxOf, type Range, Segments } from "../../core/segments.ts";
import { WHOLE } from "../ranges/dirty_set.ts";

/** A range of a file that an address space has mapped (gVisor's `memmap.MappingOfRange`). */
export interface Mapping {
  /** Who maps it: a process, a guest. */
  readonly space: string;
  /** Where its first byte is there. */
  readonly address: bigint;
  /** The bytes of the file. */
  readonly range: Range;
  readonly isWritable: boolean;
}

/** Key of a mapping: address minus file offset, equal for all its segments. */
interface Line {
  readonly space: string;
  /** Address less file offset. */
  readonly delta: bigint;
  readonly isWritable: boolean;
}

type Lines = ReadonlyMap<string, Line>;

/** Which ranges of a file are mapped where (gVisor's `memmap.MappingSet`). */
export class MappingSet {
  readonly #lines = new Segments<Lines>(haveSameKeys);
  #count = 0;

  get isEmpty(): boolean {
    return this.#lines.count === 0;
  }

  /** How many mapping segments there are: overlapping mappings split each other. */
  get count(): number {
    return this.#count;
  }

  /**
   * How large {@linkcode count} can be with another mapping of a range.
   */
  countWith(range: Range): number {
    const parts = this.#lines.within(range);
    const [first, last] = [parts[0], parts.at(-1)];
    // Each part may have a gap on both sides, and the segments at the borders are cut in two.
    const fresh = 2 * parts.length + 1;
    return this.#count + fresh + (first?.value.size ?? 0) + (last?.value.size ?? 0);
  }

  /** How many bytes of the file are mapped at least once. */
  get length(): bigint {
    return this.#lines.length;
  }

  /** The mapped parts of a range. */
  mappedWithin(range: Range): Range[] {
    return this.#lines.within(range).map(({ start, end }) => ({ start, end }));
  }

  /**
   * Whether every byte of a range is mapped.
   *
   * @param isWrite Whether it has to be mapped for writing
   */
  covers(range: Range, isWrite: boolean): boolean {
    if (!this.#lines.covers(range)) return false;
    return !isWrite || this.#lines.within(range).every(({ value }) => hasWritable(value));
  }

  /** The part of `bounds` around a mapped range that is mapped without a gap. */
  mappedAround(range: Range, bounds: Range, isWrite: boolean): Range {
    let { start, end } = range;
    const parts = this.#lines.within(bounds).filter(({ value }) => !isWrite || hasWritable(value));
    for (const part of parts) if (part.start <= end && part.end > end) end = part.end;
    for (const part of parts.reverse()) {
      if (part.end >= start && part.start < start) start = part.start;
    }
    return { start, end };
  }

  /**
   * Adds a mapping. Adding the same one again changes nothing.
   *
   * @returns The ranges that no mapping had before
   */
  add(mapping: Mapping): Range[] {
    const fresh = new Segments<true>();
    fresh.set(mapping.range, true);
    for (const part of this.#lines.within(mapping.range)) fresh.clear(part);
    const line = lineOf(mapping);
    const key = keyOf(line);
    this.#update(mapping.range, (lines) => new Map(lines).set(key, line));
    return [...fresh].map(({ start, end }) => ({ start, end }));
  }

  /** Whether some of a mapping is there: same space, same distance, same writability. */
  has(mapping: Mapping): boolean {
    const key = keyOf(lineOf(mapping));
    return this.#lines.within(mapping.range).some(({ value }) => value.has(key));
  }

  /**
   * Removes a mapping, as far as it is there.
   *
   * @returns The ranges that no mapping has any more
   */
  remove(mapping: Mapping): Range[] {
    const key = keyOf(lineOf(mapping));
    const gone: Range[] = this.#lines.within(mapping.range)
      .filter(({ value }) => value.size === 1 && value.has(key))
      .map(({ start, end }) => ({ start, end }));
    this.#update(mapping.range, (lines) => {
      if (lines?.has(key) !== true) return lines;
      const rest = new Map(lines);
      rest.delete(key);
      return rest.size === 0 ? undefined : rest;
    });
    return gone;
  }

  #update(range: Range, change: (lines: Lines | undefined) => Lines | undefined): void {
    // Neighbours may merge with it, or be cut by it.
    const around = { start: maxOf(range.start - 1n, 0n), end: range.end + 1n };
    const before = this.#countIn(around);
    this.#lines.update(range, change);
    this.#count += this.#countIn(around) - before;
  }

  #countIn(range: Range): number {
    return this.#lines.within(range).reduce((sum, { value }) => sum + value.size, 0);
  }

  /** The mappings of a range, cut to the range, merged and in order of their offset. */
  within(range: Range = WHOLE): Mapping[] {
    const byKey = new Map<string, { line: Line; ranges: Segments<true> }>();
    for (const { start, end, value } of this.#lines.within(range)) {
      for (const [key, line] of value) {
        const found = byKey.get(key) ?? { line, ranges: new Segments<true>() };
        byKey.set(key, found);
        found.ranges.set({ start, end }, true);
      }
    }
    return [...byKey.values()].flatMap(({ line, ranges }) =>
      [...ranges].map(({ start, end }): Mapping => ({
        space: line.space,
        address: start + line.delta,
        range: { start, end },
        isWritable: line.isWritable,
      }))
    ).sort(byOffset);
  }
}

function lineOf({ space, address, range, isWritable }: Mapping): Line {
  return { space, delta: address - range.start, isWritable };
}

function keyOf({ space, delta, isWritable }: Line): string {
  return `${space} ${delta} ${isWritable ? "w" : "r"}`;
}

function hasWritable(lines: Lines): boolean {
  return [...lines.values()].some(({ isWritable }) => isWritable);
}

function haveSameKeys(a: Lines, b: Lines): boolean {
  return a.size === b.size && [...a.keys()].every((key) => b.has(key));
}

function byOffset(a: Mapping, b: Mapping): number {
  return Number(a.range.start - b.range.start) || (a.space < b.space ? -1 : 1);
}
