import { Fault } from "../../core/faults.ts";
import { JOURNAL_RECORDS_MAX } from "../../core/limits.ts";
import type { BackingAttributes } from "../../core/ports/backing_file.ts";
import type { Journal, JournalRecord } from "../../core/ports/journal.ts";
import { maxOf, minOf, type Range } from "../../core/segments.ts";
import type { CacheBudget } from "../cache/cache_budget.ts";
import { type DirtyRange, DirtySet, WHOLE } from "../ranges/dirty_set.ts";

/** What tells whether somebody else changed the backing file. */
export interface Baseline {
  readonly sizeBytes: bigint;
  readonly modificationTimeNs: bigint;
  /** Nobody can set it back, so it tells of a change that size and time of the content hide. */
  readonly statusChangeTimeNs?: bigint | undefined;
  readonly version?: string | undefined;
}

/** Whether a backing file is as it was when the baseline was taken. */
export function isAsBefore(before: Baseline, now: Baseline): boolean {
  return before.sizeBytes === now.sizeBytes &&
    before.modificationTimeNs === now.modificationTimeNs && before.version === now.version &&
    // A journal of an older version does not tell it.
    (before.statusChangeTimeNs === undefined ||
      before.statusChangeTimeNs === now.statusChangeTimeNs);
}

/**
 * The dirty ranges of an inode together with their journal (docs/inodes.md#6). Every step is
 * appended to the journal in the order in which it is taken here, so a replay rebuilds the same
 * ranges.
 */
export class DirtyLog {
  readonly #dirty = new DirtySet();
  readonly #journal: Journal | undefined;
  readonly #budget: CacheBudget;
  #baseline: Baseline;
  #size: bigint;
  #isChanging = false;
  #isOvertaken = false;
  #pins = 0;

  /** @param journal `undefined` for an inode that is never written */
  constructor(journal: Journal | undefined, budget: CacheBudget, baseline: BackingAttributes) {
    this.#journal = journal;
    this.#budget = budget;
    this.#baseline = baseline;
    this.#size = baseline.sizeBytes;
  }

  /** Size of the content. Dirty bytes behind it are never written back. */
  get size(): bigint {
    return this.#size;
  }

  /** The backing file as Innkeeper last left or found it. */
  get baseline(): Baseline {
    return this.#baseline;
  }

  /** Whether somebody else changed the backing file below dirty bytes: a conflict. */
  get isOvertaken(): boolean {
    return this.#isOvertaken;
  }

  /** Number of dirty bytes. */
  get bytes(): bigint {
    return this.#dirty.length;
  }

  /** How often pages were pinned. */
  get pins(): number {
    return this.#pins;
  }

  /** Whether any pages are pinned. */
  get hasPinned(): boolean {
    return this.#dirty.hasPinned;
  }

  within(range: Range): DirtyRange[] {
    return this.#dirty.within(range);
  }

  lengthWithin(range: Range): bigint {
    return this.#dirty.lengthWithin(range);
  }

  /** Whether the clean bytes of a range may become dirty now (docs/inodes.md#5). */
  admits(range: Range): boolean {
    return this.#budget.admitsDirty(this.#cleanWithin(range));
  }

  /** Waits until the clean bytes of a range may become dirty; `false` when no write-back helps. */
  relieve(range: Range): Promise<boolean> {
    return this.#budget.relieve(this.#cleanWithin(range));
  }

  markDirty(range: Range): void {
    const isFirst = this.bytes === 0n;
    this.#change(() => this.#dirty.markDirty(range));
    this.#note(range, isFirst);
  }

  /** Makes pages dirty and pins them until {@linkcode allowClean}: they may now change unseen. */
  keepDirty(range: Range): void {
    this.#pins++;
    const isFirst = this.bytes === 0n;
    this.#change(() => this.#dirty.keepDirty(range));
    this.#note({ start: range.start, end: minOf(range.end, this.#size) }, isFirst);
  }

  /** Unpins pages, so that their next write-back cleans them. */
  allowClean(range: Range): void {
    this.#change(() => this.#dirty.allowClean(range));
  }

  /** Notes that the content is so long at least, so that pinned pages in it are written back. */
  grow(size: bigint): void {
    if (size <= this.#size) return;
    const added = { start: this.#size, end: size };
    this.#size = size;
    for (const part of this.#dirty.pinnedWithin(added)) this.#note(part, false);
  }

  /** Begins a new epoch: what becomes dirty from now on is newer than what a write-back copies. */
  closeEpoch(): number {
    return this.#dirty.closeEpoch();
  }

  /** Cleans what was written back: the parts of a range that are dirty since `epoch` or before. */
  markClean(range: Range, epoch: number): void {
    this.#change(() => {
      for (const { start, end } of this.#dirty.markClean(range, epoch)) {
        this.#journal?.append({ kind: "clean", start, end });
      }
    });
  }

  /** Forgets dirty bytes that nobody wants any more, pinned or not. */
  forget(range: Range): void {
    if (this.#dirty.lengthWithin(range) === 0n) return;
    this.#change(() => this.#dirty.keepClean(range));
    this.#journal?.append({ kind: "clean", start: range.start, end: range.end });
  }

  /**
   * Forgets dirty bytes behind a new end. The rest of its last page stays pinned: otherwise a store
   * through a mapping would be lost when the content grows again.
   */
  cut(size: bigint, lastPageEnd: bigint): void {
    const pinned = this.#dirty.pinnedWithin({ start: size, end: lastPageEnd });
    this.#size = size;
    this.forget({ start: size, end: WHOLE.end });
    this.#change(() => pinned.forEach((part) => this.#dirty.keepDirty(part)));
  }

  /**
   * Notes that Innkeeper is about to change the backing file, so that the size and time that result
   * are not taken for somebody else's. All steps so far outlive the process when this resolves.
   *
   * @throws {Fault} `state-unavailable`
   */
  async beginChange(): Promise<void> {
    this.#isChanging = true;
    if (this.bytes > 0n) this.#journal?.append(this.#state());
    await this.flush();
  }

  /** Takes a new baseline: after a change of our own, or a foreign one that is accepted. */
  settle(now: Baseline): void {
    this.#isChanging = false;
    const { sizeBytes, modificationTimeNs, statusChangeTimeNs, version } = now;
    this.#baseline = { sizeBytes, modificationTimeNs, statusChangeTimeNs, version };
    if (this.bytes > 0n) this.#journal?.append(this.#state());
  }

  /** Notes that somebody else changed the backing file below dirty bytes. */
  beOvertaken(): void {
    this.#isOvertaken = true;
    this.#journal?.append(this.#state());
  }

  /** Takes over the size of foreign content. Nothing may be dirty. */
  takeSize(size: bigint): void {
    this.#size = size;
  }

  /** Has the journal name another file from now on. Nothing may be dirty. */
  readdress({ device, inode }: BackingAttributes): void {
    this.#journal?.readdress(device, inode);
  }

  /** Notes that nothing is left of what somebody else wrote. */
  endConflict(now: Baseline): void {
    this.#isOvertaken = false;
    this.settle(now);
  }

  /**
   * Waits until all steps so far outlive the process.
   *
   * @throws {Fault} `state-unavailable`
   */
  async flush(): Promise<void> {
    try {
      await this.#journal?.flush();
    } catch (cause) {
      throw new Fault(
        "state-unavailable",
        `Cannot write the journal: ${(cause as Error).message}; free space in the state folder`,
        { cause },
      );
    }
  }

  /** Closes the journal and leaves its file. */
  async close(): Promise<void> {
    this.#budget.countDirty(-this.bytes, -this.#dirty.count);
    // Best effort: the clean records of the last write-back save the next start from repeating it.
    await this.#journal?.flush().catch(() => {});
    await this.#journal?.close();
  }

  #cleanWithin(range: Range): bigint {
    return range.end - range.start - this.lengthWithin(range);
  }

  #note({ start, end }: Range, isFirst: boolean): void {
    if (this.#journal === undefined || start >= end) return;
    if (isFirst) this.#journal.append(this.#state());
    this.#journal.append({ kind: "dirty", start, end });
    if (this.#journal.records > JOURNAL_RECORDS_MAX + 2 * this.#dirty.count) {
      const dirty = this.#dirty.within(WHOLE).map(({ start, end, value }): JournalRecord => ({
        kind: "dirty",
        start,
        end: value.isPinned ? maxOf(start, minOf(end, this.#size)) : end,
      }));
      this.#journal.rewrite([this.#state(), ...dirty]);
    }
  }

  #change(step: () => void): void {
    const [bytes, runs] = [this.bytes, this.#dirty.count];
    step();
    this.#budget.countDirty(this.bytes - bytes, this.#dirty.count - runs);
  }

  #state(): JournalRecord {
    if (this.#isOvertaken) return { kind: "overtaken" };
    return this.#isChanging ? { kind: "changing" } : { kind: "settled", ...this.#baseline };
  }
}
