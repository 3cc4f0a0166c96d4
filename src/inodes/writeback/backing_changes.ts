import { Fault } from "../../core/faults.ts";
import type { BackingAttributes } from "../../core/ports/backing_file.ts";
import type { Range } from "../../core/segments.ts";
import { Serial } from "../../core/serial.ts";
import type { Backing } from "../backing/backing.ts";
import { type DirtLog, isAsBefore } from "./dirty_log.ts";
import { WHOLE } from "../ranges/dirty_set.ts";

/** Why the backing file is taken for the content as it is. */
export type TakeoverReason = "changed-outside" | "reopened" | "invalidated";

/**
 * Makes the changes of a backing file one at a time, and tells our own from those that somebody
 * else makes: one of those is taken over while there is no dirt, and below dirt it ends every
 * write-back until the conflict is over (spec decision 7).
 */
export class BackingChanges {
  readonly #serial = new Serial();
  readonly #backing: Backing;
  readonly #dirt: DirtLog;
  readonly #onTakeover: (sizeBytes: bigint, reason: TakeoverReason) => void;
  #takeovers = 0;
  #isOver = false;

  /** @param onTakeover Called with the new size when the backing file is taken for the content */
  constructor(
    backing: Backing,
    dirt: DirtLog,
    onTakeover: (sizeBytes: bigint, reason: TakeoverReason) => void,
  ) {
    this.#backing = backing;
    this.#dirt = dirt;
    this.#onTakeover = onTakeover;
  }

  /** How many changes from outside were taken over. */
  get takeovers(): number {
    return this.#takeovers;
  }

  /** Makes a change after all earlier ones. All steps of the dirt so far are kept before. */
  make(change: () => Promise<void>): Promise<void> {
    return this.#serial.run(async () => {
      this.#notice(this.#backing.attributes());
      await this.#asOurs(change);
    });
  }

  /**
   * Writes the dirt of a range back after all earlier changes. What `copy` is given stays dirty
   * when it fails, and where it was written to meanwhile.
   *
   * @param isDue Whether there is something to do without dirt as well
   * @param durable Whether the backing file is synced before the dirt counts as clean
   * @param finish Changes the backing file after all was copied
   * @returns Whether there was any dirt; `false` as well after {@linkcode atLast}
   * @throws {Fault} `backing-changed` when somebody else changed the file below it
   */
  writeBack(
    range: Range,
    isDue: boolean,
    durable: boolean,
    copy: (dirt: Range) => Promise<void>,
    finish: () => Promise<void> = async () => {},
  ): Promise<boolean> {
    return this.#serial.run(async () => {
      if (this.#isOver) return false;
      const epoch = this.#dirt.closeEpoch();
      const dirt = this.#dirt.within(range);
      if (dirt.length === 0 && !isDue) return false;
      const { attributes, named } = await this.#backing.look();
      this.#notice(attributes);
      if (dirt.length > 0 && (this.#dirt.isOvertaken || !named)) throw this.#conflict(named);
      try {
        await this.#asOurs(async () => {
          for (const part of dirt) await copy(part);
          await finish();
          if (durable) await this.#backing.sync();
        });
        this.#dirt.markClean(range, epoch);
      } finally {
        // As long as the journal does not know how this ended, a restart would write it back once
        // more, over whatever somebody else has written by then. What failed is tried again by
        // whoever next relies on it.
        await this.#dirt.flush().catch(() => {});
      }
      return dirt.length > 0;
    });
  }

  /**
   * Looks for a change from outside.
   *
   * @throws {Fault} `backing-changed` when there is one that cannot be taken over
   */
  revalidate(): Promise<void> {
    return this.#serial.run(async () => {
      this.#notice((await this.#backing.look()).attributes);
      if (this.#dirt.isOvertaken) throw this.#conflict(true);
    });
  }

  /**
   * Forgets all dirt and takes the backing file as it is now for the content.
   *
   * @param mayForget Asked last; when it says no, all stays as it is
   * @returns How many bytes of dirt were lost by that; `undefined` when all stays
   */
  takeBacking(mayForget: () => boolean): Promise<bigint | undefined> {
    return this.#serial.run(async () => {
      const { attributes } = await this.#backing.look();
      if (!mayForget()) return undefined;
      const lost = this.#dirt.bytes;
      this.#dirt.forget(WHOLE);
      this.#dirt.endConflict(attributes);
      this.#takeOver(attributes, "invalidated");
      await this.#dirt.flush();
      return lost;
    });
  }

  /**
   * Opens anew what the path leads to. Another file is taken over, unless there is dirt.
   *
   * @param accept Sees what was found first; when it throws, all stays as it is
   * @throws {Fault} `backing-changed`
   */
  reopen(accept: (found: BackingAttributes, isAnother: boolean) => void): Promise<void> {
    return this.#serial.run(async () => {
      const before = this.#backing.attributes();
      let isAnother = false;
      await this.#backing.reopen((found) => {
        isAnother = found.device !== before.device || found.inode !== before.inode;
        if (isAnother && this.#dirt.bytes > 0n) throw this.#conflict(false);
        accept(found, isAnother);
      });
      const now = this.#backing.attributes();
      if (isAnother) {
        this.#backing.forgetLost(WHOLE);
        this.#dirt.readdress(now);
        this.#dirt.endConflict(now);
        this.#takeOver(now, "reopened");
        await this.#dirt.flush();
      } else this.#notice(now);
    });
  }

  /** Ends a conflict: the whole content is ours now. */
  endConflict(): Promise<void> {
    return this.#serial.run(() => this.#dirt.endConflict(this.#backing.attributes()));
  }

  /** Runs a last task after all earlier changes; no later write-back does anything. */
  atLast(task: () => Promise<void>): Promise<void> {
    return this.#serial.run(() => {
      this.#isOver = true;
      return task();
    });
  }

  async #asOurs(change: () => Promise<void>): Promise<void> {
    await this.#dirt.beginChange();
    try {
      await change();
    } finally {
      this.#dirt.settle(this.#backing.attributes());
    }
  }

  #notice(now: BackingAttributes): void {
    if (isAsBefore(this.#dirt.baseline, now)) return;
    if (this.#dirt.bytes > 0n) this.#dirt.beOvertaken();
    else {
      this.#dirt.settle(now);
      this.#takeOver(now, "changed-outside");
    }
  }

  #takeOver({ sizeBytes }: BackingAttributes, reason: TakeoverReason): void {
    this.#takeovers++;
    this.#onTakeover(sizeBytes, reason);
  }

  #conflict(named: boolean): Fault {
    return new Fault(
      "backing-changed",
      `Cannot go on with ${this.#backing.name}: ` +
        (named
          ? "it was changed from outside"
          : "its path leads to another file, or no path leads to it") +
        ` below ${this.#dirt.bytes} unsaved bytes; replace the whole content, or invalidate with discard, to end the conflict`,
      { members: { dirtyBytes: String(this.#dirt.bytes) } },
    );
  }
}
