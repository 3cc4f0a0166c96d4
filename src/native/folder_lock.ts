import { SystemError } from "../core/system_error.ts";
import { LOCK_EX, LOCK_NB, O_CREAT, O_NOFOLLOW, O_RDWR } from "./constants.ts";
import { openPath } from "./descriptor.ts";
import type { Libc } from "./libc.ts";

/**
 * Takes a folder for this process alone, by a lock on a file in it. The kernel releases the lock
 * when the process ends, however it ends, so a lock file that is left over locks nothing.
 *
 * @param path The lock file; made when it does not exist. A symbolic link in its place is refused:
 * it would lock, and make, a file of somebody else's choice
 * @returns Whether this process has the folder now
 * @throws {SystemError} when the lock file cannot be opened
 */
export function lockFolder(libc: Libc, path: string): boolean {
  const file = openPath(libc, path, O_RDWR | O_CREAT | O_NOFOLLOW, 0o600);
  // The file stays open: the lock lasts as long as its descriptor.
  if (libc.symbols.flock(file.number, LOCK_EX | LOCK_NB) === 0) return true;
  const errno = libc.errno();
  file[Symbol.dispose]();
  if (errno === "EAGAIN") return false;
  throw new SystemError(errno, "flock", path);
}
