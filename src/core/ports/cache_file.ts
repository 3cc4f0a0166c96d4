import type { NodeIdentity } from "./backing_file.ts";
import type { Range } from "../segments.ts";

/**
 * The sparse file that holds the cached pages of one inode, at their offsets in the backing file.
 * Ranges are whole pages. Its content survives the process, but not a restart of the host.
 */
export interface CacheFile {
  /** Path by which another process of this user can map it. */
  readonly path: string;
  /** Which file that path leads to. */
  readonly identity: NodeIdentity;
  /**
   * Reserves storage for pages, so that a later store into them cannot fail. They read as zeros.
   *
   * @throws {SystemError} ENOSPC, EFBIG or ENOMEM when they cannot be had
   */
  reserve(range: Range): Promise<void>;
  /** Copies bytes out of reserved pages. */
  load(into: Uint8Array<ArrayBuffer>, offset: bigint): void;
  /** Copies bytes into reserved pages. */
  store(bytes: Uint8Array<ArrayBuffer>, offset: bigint): void;
  /** Frees the storage of pages. */
  punch(range: Range): Promise<void>;
  /** Closes the file, which stays. */
  close(): void;
}

/** The folder of cache files. */
export interface CacheFiles {
  /** Makes the cache file of an inode, empty. */
  create(id: string): Promise<CacheFile>;
  /** The ids of all cache files that are there. */
  list(): Promise<readonly string[]>;
  /**
   * Reads from a cache file that an earlier process left.
   *
   * @returns How many bytes were read; bytes that were never stored are zeros
   */
  salvage(id: string, into: Uint8Array<ArrayBuffer>, offset: bigint): Promise<number>;
  /** Removes a cache file. Nothing happens when it is not there. */
  remove(id: string): Promise<void>;
  /**
   * Gives the cache file of a damaged journal another name, under which nobody looks for one.
   *
   * @returns Where it is now; `undefined` when there is none
   */
  setAside(id: string): Promise<string | undefined>;
}
