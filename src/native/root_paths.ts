/**
 * What the paths of a root lead to.
 *
 * @module
 */
import type { OpenRequest } from "../core/ports/root_folder.ts";
import { hasErrno, NotRegularFileError } from "../core/system_error.ts";
import type { ConfinedFolder } from "./confined_folder.ts";
import * as linux from "./constants.ts";
import type { Descriptor } from "./descriptor.ts";
import { cString } from "./libc.ts";
import { type NodeAttributes, requireRegular, statCached } from "./statx.ts";

/**
 * The attributes of the regular file at a path. The file is not opened for its content, so that no
 * device is woken and no writer of a FIFO is let go.
 *
 * @returns `undefined` when nothing is there
 * @throws {SystemError}
 */
export async function lookUp(
  root: ConfinedFolder,
  path: string,
): Promise<NodeAttributes | undefined> {
  try {
    using node = await root.open(cString(path), path, linux.O_PATH);
    const attributes = statCached(node);
    requireRegular(attributes, "openat2", path);
    return attributes;
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

/**
 * Opens a file for its content.
 *
 * @param isNew Whether it must be made
 * @throws {SystemError}
 */
export async function openContent(
  root: ConfinedFolder,
  { path, access, permissions, noatime = false }: OpenRequest,
  isNew: boolean,
): Promise<Descriptor> {
  const flags = linux.O_NOCTTY | linux.O_NONBLOCK |
    (access === "rw" ? linux.O_RDWR : linux.O_RDONLY) |
    (isNew ? linux.O_CREAT | linux.O_EXCL : 0);
  const open = (more: number): Promise<Descriptor> =>
    root.open(cString(path), path, flags | more, isNew ? permissions : 0);
  try {
    return await open(noatime ? linux.O_NOATIME : 0);
  } catch (error) {
    // Only the owner of a file may read it without changing its access time.
    if (!noatime || !hasErrno(error, "EPERM")) throw error;
    return await open(0);
  }
}

/**
 * Calls `act` with the folder in which a path ends, and the last name of the path.
 *
 * @throws {NotRegularFileError} when the path ends like the path of a folder
 */
export async function inParent(
  root: ConfinedFolder,
  path: string,
  act: (parent: Descriptor, name: Uint8Array<ArrayBuffer>) => Promise<unknown>,
): Promise<void> {
  const cut = path.lastIndexOf("/");
  const name = path.slice(cut + 1);
  if (["", ".", ".."].includes(name)) throw new NotRegularFileError("openat2", path);
  const folder = cut < 0 ? "." : path.slice(0, cut) || "/";
  using parent = await root.open(cString(folder), folder, linux.O_PATH | linux.O_DIRECTORY);
  await act(parent, cString(name));
}
