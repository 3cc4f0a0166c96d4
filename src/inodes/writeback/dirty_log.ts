import { Fault } from "../../core/faults.ts";
import { JOURNAL_RECORDS_MAX } from "../../core/limits.ts";
import type { BackingAttributes } from "../../core/ports/backing_file.ts";
import type { Journal, JournalRecord } from "../../core/ports/journal.ts";
import { maxOf, minOf, type Range, type Segment } from "../../core/segments.ts";
import type { CacheBudget } from "../cache/cache_budget.ts";
import { type Dirt, DirtySet, WHOLE } from "../ranges/dirty_set.ts";

/** By what a change of the backing file from outside is told. */
export interface Baseline {
  readonly sizeBytes: bigint;
  readonly modificationTimeNs: bigint;
  readonly version?: string | undefined;
}

/** Whether a backing file is as it was when the baseline was taken. */
export function isAsBefore(before: Baseline, now: Baseline): boolean {
  return before.sizeBytes === now.sizeBytes &&
    before.modificationTimeNs === now.modificationTimeNs && before.version === now.version;
}

/**
 * The dirt of an inode together with its journal: every step is added to the journal in the
 * order in which it is taken here, so that a replay gives this dirt again.
 */
export class DirtLog {
  readonly #dirty = new DirtySet();
  readonly #journal: Journal | undefined;
  readonly #budget: CacheBudget;
  #baseline: Baseline;
  #size: bigint;
  #isChanging = false;
  #isOvertaken = false;
  #keeps = 0;

  /** @param journal `undefined` for an inode that is never written */
  constructor(journal: Journal | undefined, budget: CacheBudget, baseline: BackingAttributes) {
    this.#journal = journal;
    this.#budget = budget;
    this.#baseline = baseline;
    this.#size = baseline.sizeBytes;
  }

  /** Size of the content. What is dirty behind it is never written back. */
  get size(): bigint {
    return this.#size;
  }

  /** The backing file as Innkeeper last left or found it. */
  get baseline(): Baseline {
    return this.#baseline;
  }

  /** Whether somebody else changed the backing file below the dirt. */
  get isOvertaken(): boolean {
    return this.#isOvertaken;
  }

  get bytes(): bigint {
    return this.#dirty.length;
  }

  within(range: Range): Segment<Dirt>[] {
    return this.#dirty.within(range);
  }

  lengthWithin(range: Range): bigint {
    return this.#dirty.lengthWithin(range);
  }

  /** How many bytes of a range are not dirty. */
  cleanWithin(range: Range): bigint {
    return range.end - range.start - this.lengthWithin(range);
  }

  /** How often pages were made dirty that others may change unseen. */
  get keeps(): number {
    return this.#keeps;
  }

  /** Whether pages are dirty that others may change unseen. */
  get isKeeping(): boolean {
    return this.#dirty.isKeeping;
  }

  markDirty(range: Range): void {
    const isFirst = this.bytes === 0n;
    this.#change(() => this.#dirty.markDirty(range));
    this.#note(range, isFirst);
  }

  /** Makes pages dirty until {@linkcode allowClean}: they may be changed unseen from now on. */
  keepDirty(range: Range): void {
    this.#keeps++;
    const isFirst = this.bytes === 0n;
    this.#change(() => this.#dirty.keepDirty(range));
    this.#note({ start: range.start, end: minOf(range.end, this.#size) }, isFirst);
  }

  /** Lets pages become clean at their next write-back. */
  allowClean(range: Range): void {
    this.#change(() => this.#dirty.allowClean(range));
  }

  /** Notes that the content grew: what is kept dirty in the new part is to be written back too. */
  grow(size: bigint): void {
    const added = { start: this.#size, end: size };
    this.#size = size;
    for (const part of this.#dirty.keptWithin(added)) this.#note(part, false);
  }

  #note({ start, end }: Range, isFirst: boolean): void {
    if (this.#journal === undefined || start >= end) return;
    if (isFirst) this.#journal.append(this.#state());
    this.#journal.append({ kind: "dirty", start, end });
    if (this.#journal.records > JOURNAL_RECORDS_MAX + 2 * this.#dirty.count) {
      const dirt = this.#dirty.within(WHOLE).map(({ start, end, value }): JournalRecord => ({
        kind: "dirty",
        start,
        end: value.keep ? maxOf(start, minOf(end, this.#size)) : end,
      }));
      this.#journal.rewrite([this.#state(), ...dirt]);
    }
  }

  /** Ends an epoch: what becomes dirty from now on is newer than what a write-back copies. */
  closeEpoch(): number {
    return this.#dirty.closeEpoch();
  }

  /** Cleans what was written back: the dirt of a range up to an epoch. */
  markClean(range: Range, epoch: number): void {
    this.#change(() => {
      for (const { start, end } of this.#dirty.markClean(range, epoch)) {
        this.#journal?.append({ kind: "clean", start, end });
      }
    });
  }

  /** Forgets dirt that is no longer wanted, also what is kept dirty. */
  forget(range: Range): void {
    if (this.#dirty.lengthWithin(range) === 0n) return;
    this.#change(() => this.#dirty.keepClean(range));
    this.#journal?.append({ kind: "clean", start: range.start, end: range.end });
  }

  /**
   * Forgets dirt behind a new end. In its last page what is kept dirty stays so: a store through
   * a mapping after a later growth would be lost otherwise.
   */
  cut(size: bigint, lastPageEnd: bigint): void {
    const kept = this.#dirty.keptWithin({ start: size, end: lastPageEnd });
    this.#size = size;
    this.forget({ start: size, end: WHOLE.end });
    this.#change(() => kept.forEach((part) => this.#dirty.keepDirty(part)));
  }

  /**
   * Says that Innkeeper is about to change the backing file, so that its next size and time are
   * not taken for somebody else's. All steps so far are kept when this resolves.
   *
   * @throws {Fault} `state-unavailable`
   */
  async beginChange(): Promise<void> {
    this.#isChanging = true;
    if (this.bytes > 0n) this.#journal?.append(this.#state());
    await this.flush();
  }

  /** Takes a new baseline: after a change of our own, or one from outside that is accepted. */
  settle(now: Baseline): void {
    this.#isChanging = false;
    const { sizeBytes, modificationTimeNs, version } = now;
    this.#baseline = { sizeBytes, modificationTimeNs, version };
    if (this.bytes > 0n) this.#journal?.append(this.#state());
  }

  /** Says that somebody else changed the backing file below the dirt. */
  beOvertaken(): void {
    this.#isOvertaken = true;
    this.#journal?.append(this.#state());
  }

  /** Takes the size of content from outside, below which there is no dirt. */
  takeSize(size: bigint): void {
    this.#size = size;
  }

  /** Says that the journal is about another file from now on. There must be no dirt. */
  readdress({ device, inode }: BackingAttributes): void {
    this.#journal?.readdress(device, inode);
  }

  /** Says that nothing is left of what somebody else wrote. */
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

  /** Lets go of the journal, which stays. */
  async close(): Promise<void> {
    this.#budget.countDirt(-this.bytes, -this.#dirty.count);
    // Best effort: the clean records of the last write-back save the next start from repeating it.
    await this.#journal?.flush().catch(() => {});
    await this.#journal?.close();
  }

  #change(step: () => void): void {
    const [bytes, runs] = [this.bytes, this.#dirty.count];
    step();
    this.#budget.countDirt(this.bytes - bytes, this.#dirty.count - runs);
  }

  #state(): JournalRecord {
    if (this.#isOvertaken) return { kind: "overtaken" };
    return this.#isChanging ? { kind: "changing" } : { kind: "settled", ...this.#baseline };
  }
}
