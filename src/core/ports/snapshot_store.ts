/** A snapshot that is kept. */
export interface KeptSnapshot {
  readonly id: string;
  readonly sizeBytes: number;
}

/**
 * Where snapshots are kept, as bytes. What `put` has promised is on stable storage; a snapshot is
 * whole or not there. Every method rejects with a {@linkcode SystemError}.
 */
export interface SnapshotStore {
  /** Keeps a snapshot under a new id. */
  put(id: string, bytes: Uint8Array): Promise<void>;
  /** All of them, in ascending order of their ids. */
  list(): Promise<readonly KeptSnapshot[]>;
  /** The first `length` bytes, or all; `undefined` when there is no such snapshot. */
  read(id: string, length?: number): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Removes it; `false` when there was none. */
  delete(id: string): Promise<boolean>;
}
