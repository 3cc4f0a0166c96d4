import { Coalesced } from "./coalesced.ts";
import { WRITE_BACK_BYTES } from "../../core/limits.ts";
import { minOf, type Range } from "../../core/segments.ts";
import type { PageCacheParts } from "../cache/page_cache.ts";
import type { Residency } from "../cache/residency.ts";
import { WHOLE } from "../ranges/dirty_set.ts";
import type { BackingChanges } from "./backing_changes.ts";
import type { DirtyLog } from "./dirty_log.ts";
import type { LastFailure } from "./last_failure.ts";
import type { TouchedTimes } from "./touched_times.ts";

/** What a write-back is put together from. */
interface WriteBackParts extends PageCacheParts {
  readonly resident: Residency;
  readonly dirty: DirtyLog;
  readonly changes: BackingChanges;
  readonly times: TouchedTimes;
  readonly failure: LastFailure;
  /** Whether the backing file may be given times. */
  readonly isWritable: boolean;
}

/**
 * Brings dirty bytes to the backing file, and to stable storage (gVisor's SyncDirty and WriteOut,
 * docs/inodes.md#sources).
 */
export class WriteBack {
  readonly #parts: WriteBackParts;
  /** Group commits: of bytes that are in the backing file, and of those with all dirty ones. */
  readonly #dataSync: Coalesced;
  readonly #wholeSync = new Coalesced(() => this.run(WHOLE, true));

  constructor(parts: WriteBackParts) {
    this.#parts = parts;
    this.#dataSync = new Coalesced(() => parts.backing.sync());
  }

  /**
   * Writes the dirty bytes of a range back, and the times too when it is the whole range.
   *
   * @param isDurable Whether they are on stable storage when this resolves
   * @throws {Fault} `backing-changed`, `backing-failed`, `backing-full`: what was dirty stays so
   */
  async run(range: Range, isDurable: boolean): Promise<void> {
    const { backing, changes, counters, dirty, failure, isWritable, times } = this.#parts;
    const pending = range === WHOLE && isWritable ? times.pending : undefined;
    try {
      const wasDirty = await changes.writeBack(
        range,
        isDurable || pending !== undefined,
        isDurable,
        (part) => this.#copy(part),
        async () => {
          if (pending === undefined) return;
          await backing.changeTimes(pending);
          times.settle(pending);
        },
      );
      if (dirty.bytes === 0n) times.settleWrites();
      if (wasDirty) counters.count("writeBacks");
      if (wasDirty || isDurable) failure.clear();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Writes everything back and syncs, once for all callers that wait for the same run. */
  sync(): Promise<void> {
    return this.#wholeSync.run();
  }

  /**
   * Brings bytes to stable storage that are in the backing file already.
   *
   * @throws {Fault} as {@linkcode run}
   */
  async syncData(): Promise<void> {
    if (this.#parts.dirty.bytes > 0n) return await this.sync();
    await this.#dataSync.run().catch((error) => this.#fail(error));
  }

  #fail(error: unknown): never {
    const { backing, dirty, failure, resident } = this.#parts;
    // The cache still has what the host may have forgotten, so it is written again.
    for (const lost of backing.unsynced.lost()) {
      for (const run of resident.within(lost)) {
        dirty.markDirty({ start: run.start, end: minOf(run.end, dirty.size) });
        backing.unsynced.forget(run);
      }
    }
    failure.note(error);
    throw error;
  }

  async #copy({ start, end: dirtyEnd }: Range): Promise<void> {
    const { backing, buffers, dirty, file } = this.#parts;
    // Pinned pages are dirty as a whole, also behind the end of the content.
    const end = minOf(dirtyEnd, dirty.size);
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
