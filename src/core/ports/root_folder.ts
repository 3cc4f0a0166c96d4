import type { BackingFile } from "./backing_file.ts";

/** Whether a file is read only, or also written. */
export const ACCESS_MODES = ["ro", "rw"] as const;

/** Whether a file that is opened may, or must, be made. */
export const CREATE_MODES = ["never", "if-missing", "exclusive"] as const;

/** How a file is opened. */
export interface OpenRequest {
  /** Path below the root. */
  readonly path: string;
  readonly access: typeof ACCESS_MODES[number];
  readonly create: typeof CREATE_MODES[number];
  /** Permission bits of a new file. */
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
 * A folder in which inodes may be opened. No path, `..`, link or magic link leads out of it, even
 * while others rename files in it.
 */
export interface RootFolder {
  readonly readOnly: boolean;
  /** Reads in it leave access times alone. */
  readonly noatime: boolean;
  /**
   * Opens a regular file.
   *
   * @throws {SystemError} EXDEV when the path leads out, ELOOP for too many or magic links,
   * ENOENT, EEXIST, ENOTDIR, EISDIR for a folder
   * @throws {NotRegularFileError} for anything else that is no regular file
   */
  open(request: OpenRequest): Promise<OpenedBacking>;
}
