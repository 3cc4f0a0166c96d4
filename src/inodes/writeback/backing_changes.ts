/**
 * Who may change a backing file, and when. The dirty bytes of an inode are in one of these states:
 *
 * ```text
 *              write                  foreign change
 *   clean ───────────────▶ dirty ─────────────────────▶ conflict
 *    ▲ ▲                   │  ▲                           │  │
 *    │ └─── write-back ────┘  └── content replaced whole ─┘  │
 *    └───────────── dirty bytes discarded or cut off ────────┘
 * ```
 *
 * A foreign change with nothing dirty is taken over at once.
 *
 * @module
 */
import { Fault } from "../../core/faults.ts";
import type { BackingAttributes } from "../../core/ports/backing_file.ts";
import type { Range } from "../../core/segments.ts";
import { Serial } from "../../core/serial.ts";
import type { Backing } from "../backing/backing.ts";
import { type DirtyLog, isAsBefore } from "./dirty_log.ts";
import { WHOLE } from "../ranges/dirty_set.ts";

/** Why the backing file becomes the content. */
type TakeoverReason = "changed-outside" | "reopened" | "invalidated";

/**
 * Makes our changes to the backing file one at a time and detects foreign ones. With nothing dirty
 * a foreign change is taken over. Below dirty bytes it is a conflict: write-back stops until the
 * caller ends it (docs/inodes.md#7).
 */
export class BackingChanges {
  readonly #serial = new Serial();
  readonly #backing: Backing;
  readonly #dirty: DirtyLog;
  readonly #onTakeover: (sizeBytes: bigint, reason: TakeoverReason) => void;
  #takeovers = 0;
  #isOver = false;

  /** @param onTakeover Called with the new size when the backing file becomes the content */
  constructor(
    backing: Backing,
    dirty: DirtyLog,
    onTakeover: (sizeBytes: bigint, reason: TakeoverReason) => void,
  ) {
    this.#backing = backing;
    this.#dirty = dirty;
    this.#onTakeover = onTakeover;
  }

  /** How many foreign changes were taken over. */
  get takeovers(): number {
    return this.#takeovers;
  }

  /** Makes a change after all earlier ones. The journal is flushed before. */
  make(change: () => Promise<void>): Promise<void> {
    return this.#serial.run(async () => {
      this.#notice(this.#backing.attributes());
      await this.#asOurs(change);
    });
  }

  /**
   * Writes the dirty bytes of a range back after all earlier changes. They stay dirty when `copy`
   * fails, and where they were written to meanwhile.
   *
   * @param isDue Whether to go on when nothing is dirty
   * @param isDurable Whether the backing file is synced before the bytes count as clean
   * @param copy Copies one dirty range
   * @param finish Changes the backing file after everything was copied
   * @returns Whether anything was dirty; also `false` after {@linkcode atLast}
   * @throws {Fault} `backing-changed` when somebody else changed the file below dirty bytes
   */
  writeBack(
    range: Range,
    isDue: boolean,
    isDurable: boolean,
    copy: (dirty: Range) => Promise<void>,
    finish: () => Promise<void>,
  ): Promise<boolean> {
    return this.#serial.run(async () => {
      if (this.#isOver) return false;
      const epoch = this.#dirty.closeEpoch();
      const dirty = this.#dirty.within(range);
      if (dirty.length === 0 && !isDue) return false;
      const { attributes, named } = await this.#backing.look();
      this.#notice(attributes);
      if (dirty.length > 0 && (this.#dirty.isOvertaken || !named)) throw this.#conflict(named);
      try {
        await this.#asOurs(async () => {
          for (const part of dirty) await copy(part);
          await finish();
        });
        // The baseline is taken by now, so what somebody else writes during this is not ours.
        if (isDurable) await this.#backing.sync();
        this.#dirty.markClean(range, epoch);
      } finally {
        // Until the journal knows how this ended, a restart would write the bytes back again, over
        // whatever somebody else has written by then. Whoever next needs the journal retries.
        await this.#dirty.flush().catch(() => {});
      }
      return dirty.length > 0;
    });
  }

  /**
   * Looks for a foreign change.
   *
   * @throws {Fault} `backing-changed` when there is one that cannot be taken over
   */
  revalidate(): Promise<void> {
    return this.#serial.run(async () => {
      this.#notice((await this.#backing.look()).attributes);
      if (this.#dirty.isOvertaken) throw this.#conflict(true);
    });
  }

  /**
   * Forgets all dirty bytes and makes the backing file, as it is now, the content.
   *
   * @param mayForget Called last; everything stays as it is when it returns `false`
   * @returns How many dirty bytes were lost; `undefined` when everything stays as it is
   */
  takeBacking(mayForget: () => boolean): Promise<bigint | undefined> {
    return this.#serial.run(async () => {
      const { attributes } = await this.#backing.look();
      if (!mayForget()) return undefined;
      const lost = this.#dirty.bytes;
      this.#dirty.forget(WHOLE);
      this.#dirty.endConflict(attributes);
      this.#takeOver(attributes, "invalidated");
      await this.#dirty.flush();
      return lost;
    });
  }

  /**
   * Opens whatever the path leads to now. Another file is taken over, unless bytes are dirty.
   *
   * @param accept Sees what was found first; when it throws, everything stays as it is
   * @throws {Fault} `backing-changed`
   */
  reopen(accept: (found: BackingAttributes) => void): Promise<void> {
    return this.#serial.run(async () => {
      const before = this.#backing.attributes();
      let isAnother = false;
      await this.#backing.reopen((found) => {
        isAnother = found.device !== before.device || found.inode !== before.inode;
        if (isAnother && this.#dirty.bytes > 0n) throw this.#conflict(false);
        accept(found);
      });
      const now = this.#backing.attributes();
      if (isAnother) {
        this.#backing.unsynced.forget(WHOLE);
        this.#dirty.readdress(now);
        this.#dirty.endConflict(now);
        this.#takeOver(now, "reopened");
        await this.#dirty.flush();
      } else this.#notice(now);
    });
  }

  /** Ends a conflict, because the whole content is ours now. */
  endConflict(): Promise<void> {
    return this.#serial.run(() => this.#dirty.endConflict(this.#backing.attributes()));
  }

  /** Runs a last task after all earlier changes. No later write-back does anything. */
  atLast(task: () => Promise<void>): Promise<void> {
    return this.#serial.run(() => {
      this.#isOver = true;
      return task();
    });
  }

  async #asOurs(change: () => Promise<void>): Promise<void> {
    await this.#dirty.beginChange();
    try {
      await change();
    } finally {
      this.#dirty.settle(this.#backing.attributes());
    }
  }

  #notice(now: BackingAttributes): void {
    if (isAsBefore(this.#dirty.baseline, now)) return;
    if (this.#dirty.bytes > 0n) this.#dirty.beOvertaken();
    else {
      this.#dirty.settle(now);
      this.#takeOver(now, "changed-outside");
    }
  }

  #takeOver({ sizeBytes }: BackingAttributes, reason: TakeoverReason): void {
    this.#takeovers++;
    this.#onTakeover(sizeBytes, reason);
  }

  #conflict(named: boolean): Fault {
    const dirtyBytes = String(this.#dirty.bytes);
    return new Fault(
      "backing-changed",
      `Cannot go on with ${this.#backing.name}: ` +
        (named
          ? "it was changed from outside"
          : "its path leads to another file, or no path leads to it") +
        ` below ${dirtyBytes} unsaved bytes; replace the whole content, or invalidate with discard, to end the conflict`,
      { members: { dirtyBytes } },
    );
  }
}
