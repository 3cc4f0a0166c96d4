import { Fault } from "../core/faults.ts";
import { JOURNAL_RECORDS_MAX } from "../core/limits.ts";
import type { BackingAttributes } from "../core/ports/backing_file.ts";
import type { Journal, JournalRecord } from "../core/ports/journal.ts";
import type { Range, Segment } from "../core/segments.ts";
import type { CacheBudget } from "./cache_budget.ts";
import { type Dirt, DirtySet, WHOLE } from "./dirty_set.ts";

/** By what a change of the backing file from outside is told. */
export interface Baseline {
  readonly sizeBytes: bigint;
  readonly modificationTimeNs: bigint;
}

/** Whether a backing file is as it was when the baseline was taken. */
export function isAsBefore(before: Baseline, now: Baseline): boolean {
  return before.sizeBytes === now.sizeBytes &&
    before.modificationTimeNs === now.modificationTimeNs;
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
  #isChanging = false;
  #isOvertaken = false;

  /** @param journal `undefined` for an inode that is never written */
  constructor(journal: Journal | undefined, budget: CacheBudget, baseline: BackingAttributes) {
    this.#journal = journal;
    this.#budget = budget;
    this.#baseline = baseline;
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

  markDirty(range: Range): void {
    const isFirst = this.bytes === 0n;
    this.#change(() => this.#dirty.markDirty(range));
    if (this.#journal === undefined) return;
    if (isFirst) this.#journal.append(this.#state());
    this.#journal.append({ kind: "dirty", start: range.start, end: range.end });
    if (this.#journal.records > JOURNAL_RECORDS_MAX + 2 * this.#dirty.count) {
      const dirt = this.#dirty.within(WHOLE).map(({ start, end }): JournalRecord => ({
        kind: "dirty",
        start,
        end,
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
    this.#baseline = { sizeBytes: now.sizeBytes, modificationTimeNs: now.modificationTimeNs };
    if (this.bytes > 0n) this.#journal?.append(this.#state());
  }

  /** Says that somebody else changed the backing file below the dirt. */
  beOvertaken(): void {
    this.#isOvertaken = true;
    this.#journal?.append(this.#state());
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
    this.#budget.countDirt(-this.bytes);
    // Best effort: the clean records of the last write-back save the next start from repeating it.
    await this.#journal?.flush().catch(() => {});
    await this.#journal?.close();
  }

  #change(step: () => void): void {
    const before = this.bytes;
    step();
    this.#budget.countDirt(this.bytes - before);
  }

  #state(): JournalRecord {
    if (this.#isOvertaken) return { kind: "overtaken" };
    return this.#isChanging ? { kind: "changing" } : { kind: "settled", ...this.#baseline };
  }
}
