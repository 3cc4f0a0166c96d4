import { maxOf, minOf, type Range } from "../../core/segments.ts";

interface Work<Outcome> extends Range {
  readonly done: Promise<Outcome>;
}

/**
 * Ranges of an inode on which work is under way that must not run twice, nor beside other work on
 * the same bytes: fills, writes past the cache, punches. Whoever needs such a range waits.
 */
export class RangesInFlight<Outcome> {
  readonly #works = new Set<Work<Outcome>>();

  /** Starts work on a range. Until it ends, the other methods find it there. */
  run(range: Range, work: () => Promise<Outcome>): Promise<Outcome> {
    const done = work();
    const entry = { ...range, done };
    this.#works.add(entry);
    const leave = () => this.#works.delete(entry);
    // This also handles a rejection, so that one nobody waits for is not reported as unhandled.
    done.then(leave, leave);
    return done;
  }

  /** The work under way at an offset. */
  at(offset: bigint): Promise<Outcome> | undefined {
    return this.within({ start: offset, end: offset + 1n });
  }

  /** Some work under way in a range. */
  within(range: Range): Promise<Outcome> | undefined {
    for (const work of this.#works) {
      if (work.start < range.end && range.start < work.end) return work.done;
    }
    return undefined;
  }

  /** Starts work as soon as none is under way in a range, without a turn in between. */
  async runAlone(range: Range, work: () => Promise<Outcome>): Promise<Outcome> {
    for (let busy; (busy = this.within(range)) !== undefined;) await busy.catch(() => {});
    return await this.run(range, work);
  }

  /** The part of a range around a free offset in which no work is under way. */
  freeAround(offset: bigint, range: Range): Range {
    let { start, end } = range;
    for (const work of this.#works) {
      if (work.end <= offset) start = maxOf(start, work.end);
      else end = minOf(end, work.start);
    }
    return { start, end };
  }
}
