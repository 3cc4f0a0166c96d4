/** The bytes under a guest's disk. Every method rejects when they cannot be had. */
export interface DiskFile {
  /** Reads all of a range. */
  read(at: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
  write(at: number, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Everything written is on stable storage when this resolves. */
  sync(): Promise<void>;
  /** Lets go of the bytes; an overlay is dropped. */
  close(): Promise<void>;
}

/** Where the bytes of a disk came from, and which they were: what a snapshot says of a base. */
export interface DiskSource {
  /** Name of the root; none for a remote file. */
  readonly root?: string;
  /** Path below the root, or the URL. */
  readonly path: string;
  readonly access: "ro" | "rw";
  readonly cache: "host" | "own";
  /** Tells this content from any other that may be found there later. */
  readonly content: string;
}
