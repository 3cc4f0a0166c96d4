import { type Range, type Segment, Segments } from "../../core/segments.ts";
import { WHOLE } from "../ranges/dirty_set.ts";

/** How often each page of an inode is referenced from outside (gVisor's `FrameRefSet`). */
export class FrameRefs {
  readonly #counts = new Segments<number>();

  /** How many bytes are referenced at least once. */
  get length(): bigint {
    return this.#counts.length;
  }

  /** The referenced parts of a range, with their counts. */
  within(range: Range = WHOLE): Segment<number>[] {
    return this.#counts.within(range);
  }

  /** Whether every page of a range is referenced. */
  covers(range: Range): boolean {
    return this.#counts.covers(range);
  }

  /** Counts one more reference to each page of a range. */
  incRef(range: Range): void {
    this.#counts.update(range, (count) => (count ?? 0) + 1);
  }

  /**
   * Removes one reference to each page of a range and skips pages that have none. It does nothing
   * when the first page has none.
   */
  decRef(range: Range): void {
    if (this.#counts.at(range.start) === undefined) return;
    this.#counts.update(
      range,
      (count) => count === undefined || count === 1 ? undefined : count - 1,
    );
  }
}
