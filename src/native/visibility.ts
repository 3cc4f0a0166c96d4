import { cString, type Libc } from "./libc.ts";
import { statCached } from "./statx.ts";

const O_PATH_DIRECTORY_CLOEXEC = 0o10000000 | 0o200000 | 0o2000000;
const OTHERS_MAY_PASS = 0o001;

/**
 * Whether every user of this host can pass through to what lies in a folder, or only its owner,
 * because a folder above it is closed to others.
 *
 * @param folder An absolute path
 * @throws {SystemError} when a folder cannot be looked at
 */
export function visibilityOf(libc: Libc, folder: string): "all" | "owner" {
  const names = folder.split("/").filter((name) => name !== "");
  for (let depth = 0; depth <= names.length; depth++) {
    const path = `/${names.slice(0, depth).join("/")}`;
    const fd = libc.check(
      libc.symbols.open(cString(path), O_PATH_DIRECTORY_CLOEXEC, 0),
      "open",
      path,
    );
    try {
      if ((statCached(libc, fd, path).permissions & OTHERS_MAY_PASS) === 0) return "owner";
    } finally {
      libc.symbols.close(fd);
    }
  }
  return "all";
}
