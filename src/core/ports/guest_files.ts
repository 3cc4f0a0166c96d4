import type { SharedTree } from "./shared_tree.ts";

/** The bytes under a guest's disk. A method rejects when it cannot reach them. */
export interface DiskFile {
  /** Reads all of a range. */
  read(at: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
  write(at: number, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Everything written is on stable storage when this resolves. */
  sync(): Promise<void>;
  /** Releases the bytes. An overlay is deleted. */
  close(): Promise<void>;
}

/** Where the base of a disk is, and which content it has. A snapshot stores this. */
export interface DiskSource {
  /** Name of the root; none for a remote file. */
  readonly root?: string;
  /** Path below the root, or the URL. */
  readonly path: string;
  readonly access: "ro" | "rw";
  readonly cache: "host" | "own";
  /** Differs from that of any other content that may be there later. */
  readonly content: string;
}

/** A disk that a guest is to have: an inode, and whether the guest may write. */
export interface DiskRequest {
  readonly inode: string;
  readonly readOnly: boolean;
}

/** A disk of a guest in a snapshot. */
export interface SavedDisk {
  readonly source: DiskSource;
  readonly sizeBytes: number;
  readonly readOnly: boolean;
}

/** What a disk is made of. */
export interface DiskParts {
  readonly sizeBytes: number;
  readonly source: DiskSource;
  /** Read wherever the guest has not written. It is never changed. */
  readonly base: DiskFile;
  /** Takes what the guest writes. A disk without one is read-only. */
  readonly overlay: DiskFile | undefined;
}

/** A folder of the host that a guest sees, read-only. */
export interface Share {
  /** Name of its root. */
  readonly root: string;
  readonly tree: SharedTree;
}

/** What guests are made of: files and disks are inodes, shares are roots (docs/guests.md#7). */
export interface GuestFiles {
  /**
   * The whole content of an inode.
   *
   * @throws {Fault} `inode-not-found`, and as a read does
   */
  readAll(inode: string): Promise<Uint8Array>;
  /**
   * Opens the disks of a new guest.
   *
   * @throws {Fault} `inode-not-found`, `value-not-allowed`, and as an open does. Then none is open
   */
  openDisks(guest: string, disks: readonly DiskRequest[]): Promise<DiskParts[]>;
  /**
   * Opens the disks of a clone: the same bases, if they are still the same, and new overlays.
   *
   * @throws {Fault} `backing-changed`, and as an open does. Then none is open
   */
  reopenDisks(guest: string, disks: readonly SavedDisk[]): Promise<DiskParts[]>;
  /** @throws {Fault} `root-not-found` */
  share(root: string): Share;
}
