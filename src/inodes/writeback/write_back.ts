import { Coalesced } from "./coalesced.ts";
import { Fault } from "../../core/faults.ts";
import { WRITE_BACK_BYTES } from "../../core/limits.ts";
import type { CacheFile } from "../../core/ports/cache_file.ts";
import { minOf, type Range } from "../../core/segments.ts";
import type { Backing } from "../backing/backing.ts";
import type { BackingChanges } from "./backing_changes.ts";
import type { CopyBuffers } from "../cache/copy_buffers.ts";
import type { Counters } from "../cache/counters.ts";
import type { DirtLog } from "./dirty_log.ts";
import { WHOLE } from "../ranges/dirty_set.ts";
import type { Residency } from "../cache/residency.ts";
import type { TouchedTimes } from "./touched_times.ts";

/** What a write-back is put together from. */
interface WriteBackParts {
  readonly backing: Backing;
  readonly file: CacheFile;
  readonly resident: Residency;
  readonly dirt: DirtLog;
  readonly changes: BackingChanges;
  readonly times: TouchedTimes;
  readonly buffers: CopyBuffers;
  readonly counters: Counters;
  /** Whether times may be brought to the backing file. */
  readonly isWritable: boolean;
  /** Called when a write-back or sync failed that did not fail before. */
  readonly onFailure: (fault: Fault) => void;
}

/** Brings dirt to the backing file, and to stable storage (seed 001, `SyncDirty`, `WriteOut`). */
export class WriteBack {
  readonly #parts: WriteBackParts;
  /** Group commits: of written bytes, and of those together with all dirt. */
  readonly #dataSync: Coalesced;
  readonly #wholeSync = new Coalesced(() => this.run(WHOLE, true));
  #failure: Fault | undefined;

  constructor(parts: WriteBackParts) {
    this.#parts = parts;
    this.#dataSync = new Coalesced(() => parts.backing.sync());
  }

  /** Why the last write-back or sync failed, until one succeeds. */
  get failure(): Fault | undefined {
    return this.#failure;
  }

  /** Says that what failed is no longer wanted. */
  forgive(): void {
    this.#failure = undefined;
  }

  /**
   * Writes the dirt of a range back; the times too when it is the whole range.
   *
   * @param isDurable Whether it is on stable storage when this resolves
   * @throws {Fault} `backing-changed`, `backing-failed`, `backing-full`: what was dirty stays so
   */
  async run(range: Range, isDurable: boolean): Promise<void> {
    const { backing, changes, counters, dirt, isWritable, times } = this.#parts;
    const pending = range === WHOLE && isWritable ? times.pending : undefined;
    try {
      const hadDirt = await changes.writeBack(
        range,
        isDurable || pending !== undefined,
        isDurable,
        (part) => this.#copy(part),
        async () => {
          if (pending === undefined) return;
          await backing.change(pending);
          times.settle(pending);
        },
      );
      if (dirt.bytes === 0n) times.settleWrites();
      if (hadDirt) counters.count("writeBacks");
      if (hadDirt || isDurable) this.#failure = undefined;
    } catch (error) {
      this.#fail(error);
      throw error;
    }
  }

  /** Writes all dirt back and syncs, once for all who ask while one is waited for. */
  sync(): Promise<void> {
    return this.#wholeSync.run();
  }

  /**
   * Brings bytes to stable storage that were written to the backing file already.
   *
   * @throws {Fault} as {@linkcode run}
   */
  async syncData(): Promise<void> {
    if (this.#parts.dirt.bytes > 0n) return await this.sync();
    try {
      await this.#dataSync.run();
    } catch (error) {
      this.#fail(error);
      throw error;
    }
  }

  #fail(error: unknown): void {
    const { backing, counters, dirt, resident } = this.#parts;
    counters.count("errors");
    // What the host may have forgotten is still in the cache: it is written again.
    for (const lost of backing.lost()) {
      for (const run of resident.within(lost)) {
        dirt.markDirty({ start: run.start, end: minOf(run.end, dirt.size) });
        backing.forgetLost(run);
      }
    }
    if (!(error instanceof Fault)) return;
    if (this.#failure?.code !== error.code) this.#parts.onFailure(error);
    this.#failure = error;
  }

  async #copy({ start, end: dirtEnd }: Range): Promise<void> {
    const { backing, buffers, dirt, file } = this.#parts;
    // Whole pages that may be changed unseen are dirty also behind the end of the content.
    const end = minOf(dirtEnd, dirt.size);
    if (start >= end) return;
    const bufferBytes = Math.min(Number(end - start), WRITE_BACK_BYTES);
    await buffers.lend(bufferBytes, async (buffer) => {
      for (let at = start; at < end;) {
        const part = buffer.subarray(0, Math.min(bufferBytes, Number(end - at)));
        file.load(part, at);
        await backing.write(part, at);
        at += BigInt(part.byteLength);
      }
    });
  }
}
