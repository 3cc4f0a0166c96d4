/** The sorts of nodes. */
export type HostNodeKind =
  | "file"
  | "directory"
  | "block"
  | "char"
  | "fifo"
  | "socket"
  | "other";

/** A node of the host, links followed. */
export interface HostNode {
  readonly kind: HostNodeKind;
  /** Number of the device that a `block` or `char` node stands for; else 0. */
  readonly rdevMajor: number;
  readonly rdevMinor: number;
  /** Of a `file`, in bytes; else 0. */
  readonly sizeBytes: bigint;
}

/** What tells one node of the host from another, however its path is written. */
export interface HostNodeIdentity extends HostNode {
  /** Number of the device that holds the node's file system; major 0 for one without a device. */
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  /** Number of the node on that file system. */
  readonly inode: bigint;
}

/**
 * The host's /sys and /dev, or a folder that looks like them, read and never changed.
 *
 * Paths are absolute. No link, relative or absolute, leads out of the tree: its root is the root
 * of every look-up. A failed call throws a {@linkcode SystemError} with the errno that the host
 * gives: ENOENT, ENOTDIR, ELOOP, EACCES, ….
 */
export interface HostTree {
  /** The node at a path. It is not opened, so a device is not woken. */
  stat(path: string): Promise<HostNode>;
  /** As {@linkcode stat}, with what all names and links of the node have in common. */
  identify(path: string): Promise<HostNodeIdentity>;
  /**
   * The whole content of a regular file.
   *
   * @throws {SystemError} EISDIR for a folder, EFBIG above HOST_FILE_BYTES_MAX
   * @throws {NotRegularFileError} for any other node that is not a file
   */
  readFile(path: string): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Up to `count` bytes of a regular file from `offset` on; fewer only at its end.
   *
   * @throws {SystemError} as {@linkcode readFile}, but a file may have any size
   */
  readAt(path: string, offset: number, count: number): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * Where a link leads, as it is written.
   *
   * @throws {SystemError} EINVAL when it is no link
   */
  readLink(path: string): Promise<string>;
  /**
   * The names in a folder, in ascending order of their bytes, without `.` and `..`.
   *
   * @throws {SystemError} ENOTDIR; EOVERFLOW above HOST_DIR_ENTRIES_MAX
   */
  list(path: string): Promise<readonly string[]>;
}
