/** One published page: a file of 4096 bytes that other programs map. */
export interface PageFile {
  /** Where other programs find it. */
  readonly path: string;
  /** Stores bytes in place. Whoever has the page mapped sees them at once. */
  write(offset: number, bytes: Uint8Array<ArrayBuffer>): void;
  /** The page's bytes as they are in the file now. */
  bytes(): Uint8Array<ArrayBuffer>;
  /** Lets go of the file, which stays. */
  close(): void;
}

/** The pages of a scope, by the device whose layout each has. */
export type PageName = "sysgenid" | "vmclock";

/** A page together with what it held when it was opened. */
export interface OpenedPage {
  readonly page: PageFile;
  /** The bytes that were found; `undefined` when the file was made just now. */
  readonly found: Uint8Array<ArrayBuffer> | undefined;
}

/** Who can get at the pages: every user of the host, or only the daemon's own. */
export const VISIBILITIES = ["all", "owner"] as const;

/** One of {@linkcode VISIBILITIES}. */
export type Visibility = typeof VISIBILITIES[number];

/**
 * The folder of published pages. A page keeps one inode for life: it is never truncated,
 * replaced or removed, since programs that mapped it hold on to that inode (docs/generations.md#5).
 */
export interface PageFolder {
  readonly visibility: Visibility;
  /**
   * Opens a page of a scope, or makes it with `initial` as its first bytes and zeros after them.
   *
   * @throws {Fault} `page-unusable` when something else than a regular file is in its place
   */
  open(scope: string, name: PageName, initial: Uint8Array<ArrayBuffer>): OpenedPage;
}
