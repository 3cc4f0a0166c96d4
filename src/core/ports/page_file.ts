/** One published page: 4096 bytes, the generation as a native-endian u32 at 0, the rest zero. */
export interface PageFile {
  /** Where other programs find it. */
  readonly path: string;
  /** Stores a generation in place. Whoever has the page mapped sees it at once. */
  store(generation: number): void;
  /** The page's bytes as they are in the file now. */
  bytes(): Uint8Array<ArrayBuffer>;
  /** Lets go of the file, which stays. */
  close(): void;
}

/** A page together with what it held when it was opened. */
export interface OpenedPage {
  readonly page: PageFile;
  /** The generation that was found; `undefined` when the file was made just now. */
  readonly found: number | undefined;
}

/**
 * The folder of published pages. A page keeps one inode for life: it is never truncated,
 * replaced or removed, since programs that mapped it hold on to that inode (spec decision 5).
 */
export interface PageFolder {
  /**
   * Opens the page of a scope, or makes it with `initial` already in it.
   *
   * @throws {Fault} `page-unusable` when something else than a regular file is in its place
   */
  open(scope: string, initial: number): OpenedPage;
}
