/**
 * Where snapshots are kept, as bytes. What `put` has promised is on stable storage; a snapshot is
 * whole or not there. Every method rejects with a {@linkcode SystemError}.
 */
export interface SnapshotStore {
  /** Keeps a snapshot under a new id. */
  put(id: string, bytes: Uint8Array): Promise<void>;
  /** The ids of all, ascending. */
  ids(): Promise<readonly string[]>;
  /** How many bytes it has; `undefined` when there is no such snapshot. */
  size(id: string): Promise<number | undefined>;
  /** The first `length` bytes, fewer at its end, or all; `undefined` when there is none. */
  read(id: string, length?: number): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Removes it; `false` when there was none. */
  delete(id: string): Promise<boolean>;
}
