import { U64_MAX } from "../../core/limits.ts";
import { type Range, type Segment, Segments } from "../../core/segments.ts";

interface DirtyState {
  /** A write-back leaves it dirty, since a mapping can change it unseen. */
  readonly isPinned: boolean;
  /** The epoch in which it was last made dirty. */
  readonly epoch: number;
}

/** Bytes that became dirty in the same epoch and are all pinned, or none of them. */
export type DirtyRange = Segment<DirtyState>;

/** Every offset that a file can have. */
export const WHOLE: Range = { start: 0n, end: U64_MAX };

/**
 * The bytes of an inode that are newer in the cache than in the backing file, known to the byte
 * (gVisor's DirtySet, docs/inodes.md#sources). A write-back closes the epoch before it copies.
 * Afterwards it cleans only what no later epoch made dirty again (docs/inodes.md#4).
 */
export class DirtySet {
  readonly #segments = new Segments<DirtyState>((a, b) =>
    a.isPinned === b.isPinned && a.epoch === b.epoch
  );
  /** The pinned ranges once more, because every read asks whether there are any. */
  readonly #pinned = new Segments<true>();
  #epoch = 0;

  /** Number of dirty bytes. */
  get length(): bigint {
    return this.#segments.length;
  }

  /** Number of ranges in which they lie. */
  get count(): number {
    return this.#segments.count;
  }

  /** Whether any range is pinned. */
  get hasPinned(): boolean {
    return this.#pinned.count > 0;
  }

  /** The pinned parts of a range. */
  pinnedWithin(range: Range): Range[] {
    return this.#pinned.within(range);
  }

  /** The dirty parts of a range, cut to it. */
  within(range: Range): DirtyRange[] {
    return this.#segments.within(range);
  }

  /** How many bytes of a range are dirty. */
  lengthWithin(range: Range): bigint {
    return this.#segments.lengthWithin(range);
  }

  /** Makes a range dirty. What is pinned stays pinned. */
  markDirty(range: Range): void {
    this.#segments.update(
      range,
      (state) => ({ isPinned: state?.isPinned ?? false, epoch: this.#epoch }),
    );
  }

  /** Makes a range dirty and pins it, until {@linkcode allowClean} or {@linkcode keepClean}. */
  keepDirty(range: Range): void {
    this.#segments.update(range, () => ({ isPinned: true, epoch: this.#epoch }));
    this.#pinned.set(range, true);
  }

  /**
   * Cleans what is not pinned and was not made dirty after `epoch`.
   *
   * @returns The ranges that are clean now and were not before
   */
  markClean(range: Range, epoch: number = this.#epoch): Range[] {
    const isCleaned = (state: DirtyState) => !state.isPinned && state.epoch <= epoch;
    const cleaned = this.within(range).filter(({ value }) => isCleaned(value));
    // One update for the whole range: one for each run would take quadratic time.
    this.#segments.update(
      range,
      (state) => state === undefined || isCleaned(state) ? undefined : state,
    );
    return cleaned.map(({ start, end }) => ({ start, end }));
  }

  /** Cleans a range, pinned or not. */
  keepClean(range: Range): void {
    this.#segments.clear(range);
    this.#pinned.clear(range);
  }

  /** Unpins a range, so that its next write-back cleans it. */
  allowClean(range: Range): void {
    this.#segments.update(
      range,
      (state) => state?.isPinned === true ? { isPinned: false, epoch: this.#epoch } : state,
    );
    this.#pinned.clear(range);
  }

  /** Begins a new epoch and returns the one that ended. */
  closeEpoch(): number {
    return this.#epoch++;
  }
}
