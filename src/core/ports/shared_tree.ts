/** Names from the top of a tree down. None is `.` or `..` or has a zero byte or a slash in it. */
export type NamePath = readonly Uint8Array[];

/** The attributes of a node of a shared tree. Times are nanoseconds since 1970-01-01T00:00:00Z. */
export interface SharedNode {
  /** Type and permission bits, as in Linux's `st_mode`. */
  readonly mode: number;
  /** Number of the device that it is on, and of the inode there: together its identity. */
  readonly device: bigint;
  readonly inode: bigint;
  readonly uid: number;
  readonly gid: number;
  readonly links: number;
  readonly sizeBytes: bigint;
  readonly usageBytes: bigint;
  readonly accessTimeNs: bigint;
  readonly modificationTimeNs: bigint;
  readonly statusChangeTimeNs: bigint;
}

/** A name in a folder. */
export interface SharedName {
  readonly name: Uint8Array;
  readonly inode: bigint;
  /** Type bits of the mode; 0 where the host does not say. */
  readonly type: number;
}

/**
 * A folder that a guest sees, read-only. No path leads out of it and no link is followed: the guest
 * follows links itself, inside the tree. Every method rejects with a {@linkcode SystemError}.
 */
export interface SharedTree {
  node(path: NamePath): Promise<SharedNode>;
  /** The names in a folder, in an order that stays while it is not changed. */
  names(path: NamePath): Promise<readonly SharedName[]>;
  /** The target of a symbolic link, as it is written. */
  link(path: NamePath): Promise<Uint8Array>;
  /**
   * Reads a regular file, up to its end.
   *
   * @param found The file that an earlier call found; ESTALE when another one is there now
   * @throws {SystemError} EISDIR for a folder
   * @throws {NotRegularFileError} for anything else that is no regular file
   */
  read(
    path: NamePath,
    found: Pick<SharedNode, "device" | "inode">,
    at: bigint,
    length: number,
  ): Promise<Uint8Array<ArrayBuffer>>;
}
