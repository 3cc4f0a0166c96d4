/** The head of a journal: which file its records are about. */
export interface JournalHeader {
  /** Identifies one run of the host, since cached pages do not survive a restart of the host. */
  readonly bootId: string;
  readonly root: string;
  readonly path: string;
  readonly device: bigint;
  readonly inode: bigint;
}

/** One change of an inode's dirty ranges. Replayed in order, the records restore the ranges. */
export type JournalRecord =
  /** Bytes of the range are in the cache and not in the backing file. */
  | { readonly kind: "dirty"; readonly start: bigint; readonly end: bigint }
  /** Bytes of the range are in the backing file, or no longer wanted. */
  | { readonly kind: "clean"; readonly start: bigint; readonly end: bigint }
  /**
   * The backing file is as Innkeeper left it with this size and these times. Journals of older
   * versions have no status change time.
   */
  | {
    readonly kind: "settled";
    readonly sizeBytes: bigint;
    readonly modificationTimeNs: bigint;
    readonly statusChangeTimeNs?: bigint | undefined;
  }
  /** Innkeeper is changing the backing file, so its size and time prove nothing. */
  | { readonly kind: "changing" }
  /** Somebody else changed the backing file: the dirty ranges must not be written back. */
  | { readonly kind: "overtaken" };

/**
 * The dirty ranges of one inode, which survive the death of the process (docs/inodes.md#6).
 * Records are written in the order in which they were added. A record that could not be written
 * stays queued and is tried again first, so that no later record is stored without it.
 */
export interface Journal {
  /** Records added since the journal was made or rewritten. */
  readonly records: number;
  /** Adds records behind all earlier ones. */
  append(...records: readonly JournalRecord[]): void;
  /** Puts these records in the place of all earlier ones, at once or not at all. */
  rewrite(records: readonly JournalRecord[]): void;
  /** Starts the journal again for another file at its path. No earlier record stays. */
  readdress(device: bigint, inode: bigint): void;
  /**
   * Resolves when all records added so far are written; at once when none waits.
   *
   * @throws {SystemError} when it cannot be written now
   */
  flush(): Promise<void>;
  /** Waits for a running write and closes the file, which stays. */
  close(): Promise<void>;
}

/** A journal that an earlier process left. */
export interface LeftJournal {
  readonly id: string;
  /** `undefined` when the head itself is damaged; then no record can be trusted. */
  readonly header: JournalHeader | undefined;
  readonly records: readonly JournalRecord[];
  /** Bytes behind the last whole record: torn when the process died, or damaged since. */
  readonly cutBytes: number;
}

/** The folder of journals. */
export interface Journals {
  /** Makes the journal of an inode and writes its header. */
  create(id: string, header: JournalHeader): Promise<Journal>;
  /** The journals that are there, each up to its last whole record. */
  left(): Promise<readonly LeftJournal[]>;
  /**
   * Goes on with a journal that an earlier process left. Its file stays as it is until the journal
   * is rewritten.
   *
   * @throws {SystemError} when it cannot be opened
   */
  resume(id: string, header: JournalHeader): Promise<Journal>;
  /** Removes a journal. Nothing happens when it is not there. */
  remove(id: string): Promise<void>;
  /**
   * Gives a damaged journal another name, under which nobody looks for one.
   *
   * @returns Where it is now; `undefined` when there is none
   */
  setAside(id: string): Promise<string | undefined>;
}
