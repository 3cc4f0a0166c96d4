/** A stored snapshot that is open for reading. It stays readable when it is deleted meanwhile. */
export interface SnapshotFile extends Disposable {
  readonly sizeBytes: number;
  /** The next `length` bytes; fewer only at its end. Rejects with a {@linkcode SystemError}. */
  read(length: number): Promise<Uint8Array<ArrayBuffer>>;
}

/**
 * Where snapshots are stored, as bytes. When `put` resolves the snapshot is on stable storage; a
 * snapshot is whole or not there. Every method rejects with a {@linkcode SystemError}.
 */
export interface SnapshotStore {
  /** Stores a snapshot under a new id. */
  put(id: string, bytes: Uint8Array): Promise<void>;
  /** The ids of all, ascending. */
  ids(): Promise<readonly string[]>;
  /** Opens a snapshot at its first byte; `undefined` when there is no such snapshot. */
  open(id: string): Promise<SnapshotFile | undefined>;
  /** Removes it; `false` when there was none. */
  delete(id: string): Promise<boolean>;
}
