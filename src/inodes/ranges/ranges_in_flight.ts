import { maxOf, minOf, type Range } from "../../core/segments.ts";

interface Work extends Range {
  readonly done: Promise<unknown>;
}

/**
 * The ranges of an inode on which something is under way that must not be done twice or beside
 * another: fills, writes past the cache, punches. Whoever needs such a range waits for its end.
 */
export class RangesInFlight<Outcome> {
  readonly #works = new Set<Work & { readonly done: Promise<Outcome> }>();

  /** Starts work on a range; from now on it is found there until it ends. */
  run(range: Range, work: () => Promise<Outcome>): Promise<Outcome> {
    const done = work();
    const entry = { ...range, done };
    this.#works.add(entry);
    const leave = () => this.#works.delete(entry);
    // This also marks a failure as seen: who waits for `done` hears of it, others need not.
    done.then(leave, leave);
    return done;
  }

  /** The end of what is under way at an offset. */
  at(offset: bigint): Promise<Outcome> | undefined {
    return this.within({ start: offset, end: offset + 1n });
  }

  /** The end of something that is under way in a range. */
  within(range: Range): Promise<Outcome> | undefined {
    for (const work of this.#works) {
      if (work.start < range.end && range.start < work.end) return work.done;
    }
    return undefined;
  }

  /** The part of a range around a free offset in which nothing is under way. */
  freeAround(offset: bigint, range: Range): Range {
    let { start, end } = range;
    for (const work of this.#works) {
      if (work.end <= offset) start = maxOf(start, work.end);
      else end = minOf(end, work.start);
    }
    return { start, end };
  }
}
