import { SystemError } from "../core/system_error.ts";
import { cString, type Libc } from "./libc.ts";

const O_RDWR_CREAT_CLOEXEC = 0o2 | 0o100 | 0o2000000;
const LOCK_EX_NB = 2 | 4;

/**
 * Keeps a folder for this process alone, by a lock on a file in it. The kernel lets go of the
 * lock when the process ends, however it ends, so a lock file that is left over locks nothing.
 *
 * @param path The lock file; made when it does not exist
 * @returns Whether this process has the folder now
 * @throws {SystemError} when the lock file cannot be opened
 */
export function lockFolder(libc: Libc, path: string): boolean {
  const { symbols } = libc;
  const fd = libc.check(symbols.open(cString(path), O_RDWR_CREAT_CLOEXEC, 0o600), "open", path);
  if (symbols.flock(fd, LOCK_EX_NB) === 0) return true;
  const errno = libc.errno();
  symbols.close(fd);
  if (errno === "EAGAIN") return false;
  throw new SystemError(errno, "flock", path);
}
