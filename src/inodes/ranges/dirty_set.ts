import { U64_MAX } from "../../core/limits.ts";
import { type Range, type Segment, Segments } from "../../core/segments.ts";

/** The dirt of a range of bytes. */
export interface Dirt {
  /** It stays dirty after a write-back, since it may be changed unseen through a mapping. */
  readonly keep: boolean;
  /** The epoch in which it was last made dirty. */
  readonly epoch: number;
}

/** Every offset that a file can have. */
export const WHOLE: Range = { start: 0n, end: U64_MAX };

/**
 * The bytes of an inode that are newer in the cache than in the backing file, to the byte (seed
 * 001, `DirtySet`). A write-back closes the epoch before it copies, and afterwards cleans only
 * what no later epoch made dirty again.
 */
export class DirtySet {
  readonly #segments = new Segments<Dirt>((a, b) => a.keep === b.keep && a.epoch === b.epoch);
  /** What is kept dirty, at hand without a search. */
  readonly #kept = new Segments<true>();
  #epoch = 0;

  /** How many bytes are dirty. */
  get length(): bigint {
    return this.#segments.length;
  }

  /** How many ranges of them there are. */
  get count(): number {
    return this.#segments.count;
  }

  /** Whether anything is kept dirty. */
  get isKeeping(): boolean {
    return this.#kept.count > 0;
  }

  /** The parts of a range that are kept dirty. */
  keptWithin(range: Range): Range[] {
    return this.#kept.within(range).map(({ start, end }) => ({ start, end }));
  }

  /** The dirty parts of a range, cut to it. */
  within(range: Range): Segment<Dirt>[] {
    return this.#segments.within(range);
  }

  /** How many bytes of a range are dirty. */
  lengthWithin(range: Range): bigint {
    return this.#segments.lengthWithin(range);
  }

  /** Makes a range dirty. What is kept dirty stays so. */
  markDirty(range: Range): void {
    this.#segments.update(range, (dirt) => ({ keep: dirt?.keep ?? false, epoch: this.#epoch }));
  }

  /** Makes a range dirty until {@linkcode allowClean} or {@linkcode keepClean}. */
  keepDirty(range: Range): void {
    this.#segments.update(range, () => ({ keep: true, epoch: this.#epoch }));
    this.#kept.set(range, true);
  }

  /**
   * Cleans what is not kept dirty and was not made dirty after `epoch`.
   *
   * @returns The ranges that are clean now and were not before
   */
  markClean(range: Range, epoch: number = this.#epoch): Range[] {
    const isCleaned = (dirt: Dirt) => !dirt.keep && dirt.epoch <= epoch;
    const cleaned = this.within(range).filter(({ value }) => isCleaned(value));
    // All at once: a step for each run would take the square of their number.
    this.#segments.update(
      range,
      (dirt) => dirt === undefined || isCleaned(dirt) ? undefined : dirt,
    );
    return cleaned.map(({ start, end }) => ({ start, end }));
  }

  /** Cleans a range, also what is kept dirty. */
  keepClean(range: Range): void {
    this.#segments.clear(range);
    this.#kept.clear(range);
  }

  /** Lets a range that is kept dirty become clean at its next write-back. */
  allowClean(range: Range): void {
    this.#segments.update(
      range,
      (dirt) => dirt?.keep === true ? { keep: false, epoch: this.#epoch } : dirt,
    );
    this.#kept.clear(range);
  }

  /** Begins a new epoch and returns the one that ended. */
  closeEpoch(): number {
    return this.#epoch++;
  }
}
