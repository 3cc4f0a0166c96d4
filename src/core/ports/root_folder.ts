import type { BackingFile } from "./backing_file.ts";

/** How a file is opened. */
export interface OpenRequest {
  /** Path below the root. */
  readonly path: string;
  readonly access: "ro" | "rw";
  /** Whether the file may, or must, be made. */
  readonly create: "never" | "if-missing" | "exclusive";
  /** Permission bits of a file that is made. */
  readonly permissions: number;
  /** Reads leave the access time alone, where the host permits it. */
  readonly noatime?: boolean;
}

/** An open file, and whether it was made just now. */
export interface OpenedBacking {
  readonly file: BackingFile;
  readonly created: boolean;
}

/**
 * A folder in which inodes may be opened. No path, `..`, link or magic link leads out of it, also
 * while others rename things in it.
 */
export interface RootFolder {
  readonly readOnly: boolean;
  /** Reads in it leave access times alone. */
  readonly noatime: boolean;
  /**
   * Opens a regular file.
   *
   * @throws {SystemError} EXDEV when the path leads out, ELOOP for too many or magic links,
   * ENOENT, EEXIST, ENOTDIR, EISDIR for a folder and EINVAL for what is no regular file either
   */
  open(request: OpenRequest): Promise<OpenedBacking>;
}
