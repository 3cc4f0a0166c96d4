import { UNSYNCED_RUNS_MAX } from "../../core/limits.ts";
import { type Range, Segments } from "../../core/segments.ts";

/**
 * Which bytes of a backing file were written and not synced since. A host that fails to sync tells
 * it once and forgets the bytes (Linux takes the pages for clean): a later sync that succeeds says
 * nothing of them. They are lost until they are written again.
 */
export class Unsynced {
  #written = new Segments<true>();
  readonly #lost = new Segments<true>();

  /** How many bytes are lost. */
  get lostBytes(): bigint {
    return this.#lost.length;
  }

  lost(): readonly Range[] {
    return [...this.#lost];
  }

  /** Notes that bytes were written. */
  note(range: Range): void {
    this.#written.set(range, true);
    this.#lost.clear(range);
    if (this.#written.count <= UNSYNCED_RUNS_MAX) return;
    // Too much is safe: what was not lost is written once more.
    const runs = [...this.#written];
    const [first, last] = [runs[0] ?? range, runs.at(-1) ?? range];
    this.#written.set({ start: first.start, end: last.end }, true);
  }

  /** Runs a sync of all that was written before it. */
  async during(sync: () => Promise<void>): Promise<void> {
    const written = this.#written;
    this.#written = new Segments<true>();
    try {
      await sync();
    } catch (error) {
      for (const range of written) {
        this.#lost.set(range, true);
        // What was written again meanwhile is for the next sync.
        for (const again of this.#written.within(range)) this.#lost.clear(again);
      }
      throw error;
    }
  }

  /** Says that bytes are of no interest any more, or will be written again. */
  forget(range: Range): void {
    this.#lost.clear(range);
  }
}
