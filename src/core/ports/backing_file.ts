/** Which file it is: number of the device that it is on, as major × 2³² + minor, and of the inode there. */
export interface NodeIdentity {
  readonly device: bigint;
  readonly inode: bigint;
}

/** The attributes of a file on its storage. Times are nanoseconds since 1970-01-01T00:00:00Z. */
export interface BackingAttributes extends NodeIdentity {
  readonly sizeBytes: bigint;
  /** Storage that the file takes up. */
  readonly usageBytes: bigint;
  /** Permission bits with sticky, setuid and setgid: the lowest 12 bits of the mode. */
  readonly permissions: number;
  readonly uid: number;
  readonly gid: number;
  readonly accessTimeNs: bigint;
  readonly modificationTimeNs: bigint;
  readonly statusChangeTimeNs: bigint;
  readonly links: number;
  /** Differs from one content to the next, such as an entity tag; not every storage has one. */
  readonly version?: string;
}

/** Attributes to set; those that are not named stay. */
export interface AttributeChange {
  /** The lowest 12 bits of the mode. */
  readonly permissions?: number | undefined;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  readonly accessTimeNs?: bigint | undefined;
  readonly modificationTimeNs?: bigint | undefined;
}

/** The result of {@linkcode BackingFile.look}. */
export interface BackingLook {
  readonly attributes: BackingAttributes;
  /**
   * Whether the file can still be found: its path does not lead to another one, and some path
   * leads to it.
   */
  readonly named: boolean;
  /** Whether the path that it was opened by still leads to it. */
  readonly isAtPath: boolean;
}

/**
 * An open regular file below a root (gVisor's `CachedFileObject`). Every failure is a
 * {@linkcode SystemError}. Callers close it only when no call is pending.
 */
export interface BackingFile {
  /** Path by which another process of this host can open it, where there is one. */
  readonly hostPath: string | undefined;
  /** The attributes as the host has them in memory, without asking storage. */
  attributes(): BackingAttributes;
  /** The attributes and the name as the storage has them now. */
  look(): Promise<BackingLook>;
  /**
   * Reads what can be had without waiting for storage.
   *
   * @returns How many bytes were read, perhaps fewer than requested, 0 at the end of the file;
   * `undefined` when the read would have to wait for storage
   */
  readNonblocking(into: Uint8Array<ArrayBuffer>, offset: bigint): number | undefined;
  /** Reads; perhaps fewer bytes than requested, 0 at the end of the file. */
  read(into: Uint8Array<ArrayBuffer>, offset: bigint): Promise<number>;
  /** Writes; perhaps fewer bytes than given. */
  write(bytes: Uint8Array<ArrayBuffer>, offset: bigint): Promise<number>;
  /** Sets the size. */
  truncate(sizeBytes: bigint): Promise<void>;
  /** Sets attributes: owner first, then permissions, then times. */
  change(change: AttributeChange): Promise<void>;
  /** Reserves storage, and extends the file to the end of the range if it is shorter. */
  allocate(offset: bigint, length: bigint): Promise<void>;
  /**
   * Sees to it that a content of this length finds room, without changing anything; where storage
   * cannot tell beforehand, this does nothing.
   */
  reserve(length: bigint): Promise<void>;
  /** Gives the file another name below its root. EEXIST when that is taken. */
  link(path: string): Promise<void>;
  /** Takes a name below its root away. ENOENT when it leads to no file, ESTALE to another one. */
  unlink(path: string): Promise<void>;
  /**
   * Opens again what its path leads to, perhaps another file by now. Calls that are in progress end
   * on the old file or on the new one.
   *
   * @param accept Sees what was found first; when it throws, the file stays as it is
   */
  reopen(accept: (found: BackingAttributes) => void): Promise<void>;
  /** Waits until content and size are on stable storage. */
  sync(): Promise<void>;
  /** Resolves when it is closed, which may have to wait for storage. Never rejects. */
  close(): Promise<void>;
}
