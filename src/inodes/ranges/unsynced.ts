import { UNSYNCED_RUNS_MAX } from "../../core/limits.ts";
import { type Range, Segments } from "../../core/segments.ts";

/**
 * The bytes of a backing file that were written since its last sync. When a sync fails, Linux
 * reports it once and takes the pages for clean, so a later sync that succeeds proves nothing about
 * them. They count as lost until they are written again (docs/inodes.md#6).
 */
export class Unsynced {
  #written = new Segments<true>();
  readonly #lost = new Segments<true>();

  /** Number of lost bytes. */
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
    // Widening is safe: bytes that were not lost are merely written once more.
    const runs = [...this.#written];
    const [first, last] = [runs[0] ?? range, runs.at(-1) ?? range];
    this.#written.set({ start: first.start, end: last.end }, true);
  }

  /** Runs a sync of everything that was written before it. */
  async during(sync: () => Promise<void>): Promise<void> {
    const written = this.#written;
    this.#written = new Segments<true>();
    try {
      await sync();
    } catch (error) {
      for (const range of written) {
        this.#lost.set(range, true);
        // The next sync answers for what was written again meanwhile.
        for (const again of this.#written.within(range)) this.#lost.clear(again);
      }
      throw error;
    }
  }

  /** Forgets lost bytes that nobody needs any more, or that will be written again. */
  forget(range: Range): void {
    this.#lost.clear(range);
  }
}
