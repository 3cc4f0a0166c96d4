import type { BackingFile } from "./backing_file.ts";

/** Files on other machines that inodes may be opened from. They are read, never written. */
export interface RemoteFiles {
  /**
   * Opens a file.
   *
   * @throws {SystemError} EXDEV when no configured prefix allows the URL, ENOENT, EACCES, EIO when
   * it cannot be reached or does not answer to ranges
   */
  open(url: string): Promise<BackingFile>;
}
