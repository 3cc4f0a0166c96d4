import { Fault } from "../core/faults.ts";
import { FILE_OFFSET_MAX } from "../core/limits.ts";
import type { Range } from "../core/segments.ts";
import type { Content, ContentAttributes, Evicted, PageRun } from "./content.ts";
import type { Counters, Counts } from "./counters.ts";
import { WHOLE } from "./dirty_set.ts";

/** How an inode was opened. Those who share it open it alike. */
export interface InodeModes {
  readonly access: "ro" | "rw";
  /** Whose cache holds its pages: the host's, or one of Innkeeper's own. */
  readonly cache: "host" | "own";
}

/** What an inode is, beside its content. */
export interface InodeIdentity extends InodeModes {
  /** Stands for the inode as long as it is open. */
  readonly id: string;
  readonly root: string;
  /** The path that it was first opened by. */
  readonly path: string;
}

/** The figures of one inode. */
export interface InodeStats extends Counts {
  readonly residentBytes: bigint;
  readonly dirtyBytes: bigint;
  readonly holders: number;
}

/** An open file, shared by its holders (seed 001, `CachingInodeOperations`). */
export class CachingInode {
  readonly holders = new Set<string>();
  readonly #content: Content;
  readonly #counters: Counters;
  #running = 0;
  #isClosing = false;
  #whenIdle: (() => void) | undefined;

  constructor(readonly identity: InodeIdentity, content: Content, counters: Counters) {
    this.#content = content;
    this.#counters = counters;
  }

  /** Size in bytes. */
  get size(): bigint {
    return this.#content.size;
  }

  /** A strong validator of the content, quoted; `undefined` while the content is being changed. */
  get etag(): string | undefined {
    const { version } = this.#content;
    return version === undefined ? undefined : `"${this.identity.id}-${version}"`;
  }

  /** Why the last write-back or sync failed, until one succeeds. */
  get failure(): Fault | undefined {
    return this.#content.failure;
  }

  attributes(): ContentAttributes {
    return this.#content.attributes();
  }

  stats(): InodeStats {
    return {
      ...this.#counters.counts(),
      residentBytes: this.#content.residentBytes,
      dirtyBytes: this.#content.dirtyBytes,
      holders: this.holders.size,
    };
  }

  /** The cached pages in ascending order; none in the mode `host`. */
  pages(): readonly PageRun[] {
    return this.#content.pages();
  }

  /**
   * Reads what is in memory, without a wait.
   *
   * @returns How many bytes there were up to the end of the content; `undefined` when not all of
   * them are in memory
   */
  readNow(into: Uint8Array<ArrayBuffer>, offset: bigint): number | undefined {
    this.#requireOpen();
    return this.#content.readNow(into, offset);
  }

  /**
   * Reads up to the end of the content.
   *
   * @returns How many bytes there were
   * @throws {Fault} `backing-failed`, `backing-changed`
   */
  read(into: Uint8Array<ArrayBuffer>, offset: bigint): Promise<number> {
    return this.#use(async () =>
      this.#content.readNow(into, offset) ?? await this.#content.read(into, offset)
    );
  }

  /**
   * Writes all bytes. When it resolves they outlive the process; they outlive the host's power
   * after a {@linkcode sync}.
   *
   * @throws {Fault} `inode-read-only`, `value-not-allowed` past the largest offset, `cache-full`,
   * `backing-failed`, `backing-full`, `state-unavailable`
   */
  write(bytes: Uint8Array<ArrayBuffer>, offset: bigint): Promise<void> {
    return this.#use(async () => {
      this.#requireWritable();
      if (offset + BigInt(bytes.byteLength) > FILE_OFFSET_MAX) {
        throw new Fault(
          "value-not-allowed",
          `Cannot write at offset ${offset}: a file ends at ${FILE_OFFSET_MAX} at the latest`,
          { errno: "EFBIG" },
        );
      }
      if (bytes.byteLength > 0) await this.#content.write(bytes, offset);
    });
  }

  /**
   * Makes these bytes the whole content. This also ends a conflict with a change from outside.
   *
   * @throws {Fault} as {@linkcode write}
   */
  replace(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    return this.#use(async () => {
      this.#requireWritable();
      await this.#content.replace(bytes);
    });
  }

  /**
   * Resolves when all that was written is on stable storage.
   *
   * @throws {Fault} `backing-changed`, `backing-failed`, `backing-full`: what is in the cache
   * stays dirty, and the next sync tries again
   */
  sync(): Promise<void> {
    return this.#use(() => this.#content.sync());
  }

  /** Drops the cached pages that ranges touch, after their write-back. */
  evict(ranges: readonly Range[] = [WHOLE]): Promise<Evicted> {
    return this.#use(async () => {
      const all: Evicted[] = [];
      for (const range of ranges) all.push(await this.#content.evict(range));
      return {
        bytes: all.reduce((sum, { bytes }) => sum + bytes, 0n),
        refused: all.flatMap(({ refused }) => refused),
      };
    });
  }

  /** Takes over what was changed from outside, unless there is dirt: that shows at the next sync. */
  revalidate(): Promise<void> {
    return this.#use(async () => {
      try {
        await this.#content.revalidate();
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
      }
    });
  }

  /**
   * Writes back and lets go of the files, after all running calls; new ones are refused.
   *
   * @throws {Fault} when the write-back fails: the inode stays open
   */
  async close(): Promise<void> {
    this.#isClosing = true;
    await this.#idle();
    try {
      await this.#content.writeBack(WHOLE);
    } catch (error) {
      this.#isClosing = false;
      throw error;
    }
    await this.#content.close();
  }

  /** Lets go of the files although a write-back failed. The journal keeps the dirt. */
  async abandon(): Promise<void> {
    this.#isClosing = true;
    await this.#idle();
    await this.#content.close();
  }

  async #use<Result>(task: () => Promise<Result>): Promise<Result> {
    this.#requireOpen();
    this.#running++;
    try {
      return await task();
    } finally {
      this.#running--;
      if (this.#running === 0) this.#whenIdle?.();
    }
  }

  async #idle(): Promise<void> {
    if (this.#running === 0) return;
    await new Promise<void>((resolve) => {
      this.#whenIdle = resolve;
    });
  }

  #requireOpen(): void {
    if (this.#isClosing) throw inodeNotFound(this.identity.id);
  }

  #requireWritable(): void {
    if (this.identity.access === "rw") return;
    throw new Fault(
      "inode-read-only",
      `Cannot write inode ${this.identity.id}: it was opened with access "ro"`,
    );
  }
}

/** The fault of an inode id that stands for nothing. */
export function inodeNotFound(id: string): Fault {
  return new Fault("inode-not-found", `Cannot find inode "${id.slice(0, 80)}": it is not open`);
}
