import { O_DIRECTORY, RLIMIT_NOFILE, RLIMIT_STRUCT } from "./constants.ts";
import { openPath } from "./descriptor.ts";
import { readDirents } from "./dirents.ts";
import type { Libc } from "./libc.ts";

/**
 * Raises the limit of open file descriptors to the highest that this process may have.
 *
 * @returns That limit
 * @throws {SystemError}
 */
export function raiseDescriptorLimit(libc: Libc): number {
  const buffer = new Uint8Array(RLIMIT_STRUCT.size);
  const view = new DataView(buffer.buffer);
  libc.check(libc.symbols.getrlimit(RLIMIT_NOFILE, buffer), "getrlimit", "RLIMIT_NOFILE");
  const highest = view.getBigUint64(RLIMIT_STRUCT.rlim_max, true);
  view.setBigUint64(RLIMIT_STRUCT.rlim_cur, highest, true);
  libc.check(libc.symbols.setrlimit(RLIMIT_NOFILE, buffer), "setrlimit", "RLIMIT_NOFILE");
  return Number(highest);
}

/**
 * How many file descriptors this process has open.
 *
 * @throws {SystemError}
 */
export function openDescriptors(libc: Libc): number {
  using folder = openPath(libc, "/proc/self/fd", O_DIRECTORY);
  // It sees itself.
  return readDirents(folder).length - 1;
}
