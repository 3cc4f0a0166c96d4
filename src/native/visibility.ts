import type { Visibility } from "../core/ports/page_file.ts";
import { O_DIRECTORY, O_PATH } from "./constants.ts";
import { openPath } from "./descriptor.ts";
import type { Libc } from "./libc.ts";
import { statCached } from "./statx.ts";

const OTHERS_MAY_PASS = 0o001;

/**
 * Whether every user of this host can pass through to what lies in a folder, or only its owner,
 * because a folder above it is closed to others.
 *
 * @param folder An absolute path
 * @throws {SystemError} when a folder cannot be looked at
 */
export function visibilityOf(libc: Libc, folder: string): Visibility {
  const names = folder.split("/").filter((name) => name !== "");
  for (let depth = 0; depth <= names.length; depth++) {
    using above = openPath(libc, `/${names.slice(0, depth).join("/")}`, O_PATH | O_DIRECTORY);
    if ((statCached(above).permissions & OTHERS_MAY_PASS) === 0) return "owner";
  }
  return "all";
}
