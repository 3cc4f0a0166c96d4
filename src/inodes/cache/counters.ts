/** What is counted, for one inode and for all together (docs/inodes.md#10). Each only grows. */
export interface Counts {
  /** Reads answered from memory at once. */
  hits: number;
  /** Reads that had to wait for the backing file. */
  misses: number;
  /** Windows read into the cache. */
  fills: number;
  /** Bytes dropped from the cache to make room or on request. */
  evictedBytes: number;
  /** Write-backs that succeeded. */
  writeBacks: number;
  /** Fills, write-backs and syncs that failed. */
  errors: number;
}

/** The counts of one inode, which also add to those of the store. */
export class Counters {
  readonly #own = { hits: 0, misses: 0, fills: 0, evictedBytes: 0, writeBacks: 0, errors: 0 };
  readonly #total: Counters | undefined;

  /** @param total Gets every count too */
  constructor(total?: Counters) {
    this.#total = total;
  }

  count(name: keyof Counts, by = 1): void {
    this.#own[name] += by;
    this.#total?.count(name, by);
  }

  /** The counts as they are now. */
  counts(): Counts {
    return { ...this.#own };
  }
}
