import { Fault } from "../../core/faults.ts";
import { BYTES_REPLY_BYTES_MAX } from "../../core/limits.ts";
import type { LeftJournal } from "../../core/ports/journal.ts";
import type { Range } from "../../core/segments.ts";
import { Serial } from "../../core/serial.ts";
import { type Outcome, type Recovered, type RecoveryParts, replay, restore } from "./recovery.ts";

/** Dirty bytes of one file that an earlier process left, and that no start could write back. */
export interface Leftover {
  /** Of the inode that they were written to. */
  readonly id: string;
  readonly root: string;
  readonly path: string;
  /** Which file they belong to, whatever its path leads to now. */
  readonly device: bigint;
  readonly inode: bigint;
  /** The dirty ranges, by offset. */
  readonly ranges: readonly Range[];
  readonly dirtyBytes: bigint;
  /** Why they could not be written back. */
  readonly reason: string;
}

/** What became of a leftover that was tried again. */
export interface Retried extends Recovered {
  readonly outcome: Outcome;
}

/**
 * What recovery could not write back (docs/inodes.md#leftovers). It stays until somebody has it
 * written, or discards it; the next start tries it again.
 */
export class Leftovers {
  readonly #parts: RecoveryParts;
  readonly #known = new Map<string, Leftover>();
  readonly #serial = new Serial();

  constructor(parts: RecoveryParts) {
    this.#parts = parts;
  }

  /** All of them, by id. */
  list(): readonly Leftover[] {
    return [...this.#known.values()].sort((a, b) => a.id < b.id ? -1 : 1);
  }

  /** @throws {Fault} `leftover-not-found` */
  get(id: string): Leftover {
    const leftover = this.#known.get(id);
    if (leftover !== undefined) return leftover;
    throw new Fault("leftover-not-found", `Cannot find unsaved bytes "${id.slice(0, 80)}"`);
  }

  /** Takes note of what a recovery has left. */
  note(left: LeftJournal, reason: string): void {
    if (left.header === undefined) return;
    const ranges = [...replay(left.records).dirty].map(({ start, end }) => ({ start, end }));
    const dirtyBytes = ranges.reduce((sum, { start, end }) => sum + end - start, 0n);
    this.#known.set(left.id, { ...left.header, id: left.id, ranges, dirtyBytes, reason });
  }

  /**
   * Reads a part of the dirty bytes.
   *
   * @throws {Fault} `leftover-not-found`, `body-too-large`; `range-not-satisfiable` when not all of
   * the range is dirty
   */
  async read(id: string, range: Range): Promise<Uint8Array<ArrayBuffer>> {
    const { ranges } = this.get(id);
    const length = range.end - range.start;
    if (!ranges.some(({ start, end }) => start <= range.start && range.end <= end)) {
      throw new Fault(
        "range-not-satisfiable",
        `Cannot read ${range.start}-${
          range.end - 1n
        } of what was left of inode ${id}: not all of ` +
          "it is unsaved; its ranges are listed with it",
      );
    }
    if (length > BigInt(BYTES_REPLY_BYTES_MAX)) {
      throw new Fault(
        "body-too-large",
        `Cannot send ${length} bytes at once: ask for ${BYTES_REPLY_BYTES_MAX} at most`,
      );
    }
    const bytes = new Uint8Array(Number(length));
    await this.#parts.caches.salvage(id, bytes, range.start);
    return bytes;
  }

  /**
   * Writes the dirty bytes to their file now.
   *
   * @param isForced Also over what somebody else has written to that file since
   * @returns What became of them; `kept` with the reason when it failed again
   * @throws {Fault} `leftover-not-found`
   */
  retry(id: string, isForced: boolean): Promise<Retried> {
    return this.#serial.run(async () => {
      const { root, path, dirtyBytes } = this.get(id);
      const left = await this.#journalOf(id);
      const outcome = await restore(this.#parts, left, isForced);
      if (outcome.outcome === "kept") this.note(left, outcome.reason ?? "");
      else await this.#forget(id);
      return { root, path, dirtyBytes, ...outcome };
    });
  }

  /**
   * Drops the dirty bytes for good.
   *
   * @returns What they were
   * @throws {Fault} `leftover-not-found`
   */
  discard(id: string): Promise<Leftover> {
    return this.#serial.run(async () => {
      const leftover = this.get(id);
      await this.#forget(id);
      return leftover;
    });
  }

  async #journalOf(id: string): Promise<LeftJournal> {
    const left = (await this.#parts.journals.left()).find((journal) => journal.id === id);
    if (left !== undefined) return left;
    throw new Fault(
      "leftover-not-found",
      `Cannot write what was left of inode ${id}: its journal is gone from the state folder`,
    );
  }

  /** The journal goes first: a cache file alone is removed at the next start. */
  async #forget(id: string): Promise<void> {
    await this.#parts.journals.remove(id);
    this.#known.delete(id);
    await this.#parts.caches.remove(id).catch(() => {});
  }
}
