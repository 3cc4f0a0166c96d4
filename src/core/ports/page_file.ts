/** Eight bytes of a page: where they are, a multiple of 8, and their little-endian value. */
export type PageWord = readonly [offset: number, value: bigint];

/** One published page: a file of 4096 bytes that other programs map. */
export interface PageFile {
  /** Where other programs find it. */
  readonly path: string;
  /**
   * Stores words in place. Whoever has the page mapped sees each of them at once and whole, and none
   * before those ahead of it. A file that somebody cut short is whole again before.
   *
   * @throws {Fault} `page-unusable`
   */
  store(stores: readonly PageWord[]): void;
  /** The bytes that are in the file now, with zeros in the place of missing ones. */
  bytes(): Uint8Array<ArrayBuffer>;
  /** Whether the file has its full length, begins with these bytes and has zeros after them. */
  shows(head: Uint8Array<ArrayBuffer>): boolean;
  /** Closes the file, which stays. */
  close(): void;
}

/** The pages of a scope, by the device whose layout each has. */
export const PAGE_NAMES = ["sysgenid", "vmclock"] as const;

/** One of {@linkcode PAGE_NAMES}. */
export type PageName = typeof PAGE_NAMES[number];

/** An open page and the content that it had before. */
export interface OpenedPage {
  readonly page: PageFile;
  /** The bytes that were in the file; `undefined` when it is new. */
  readonly found: Uint8Array<ArrayBuffer> | undefined;
}

/** Who can open the pages: every user of the host, or only the daemon's user. */
export const VISIBILITIES = ["all", "owner"] as const;

/** One of {@linkcode VISIBILITIES}. */
export type Visibility = typeof VISIBILITIES[number];

/**
 * The folder of published pages. A page keeps one inode: it is never truncated or replaced, and
 * removed only when its scope is deleted and nobody has it, since programs that mapped it hold on
 * to that inode (docs/generations.md#5).
 */
export interface PageFolder {
  readonly visibility: Visibility;
  /**
   * Opens a page of a scope, or makes it with `initial` as its first bytes and zeros after them.
   *
   * @throws {Fault} `page-unusable` when its place is taken by anything but a regular file
   */
  open(scope: string, name: PageName, initial: Uint8Array<ArrayBuffer>): OpenedPage;
  /**
   * Removes the pages of scopes that nobody has open, mapped or mounted. None of the scopes may be
   * opened meanwhile.
   *
   * @returns The scopes whose pages are gone. Where it cannot be known who has a page, it stays
   */
  reclaim(scopes: readonly string[]): Promise<readonly string[]>;
}
