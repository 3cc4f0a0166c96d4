import { SystemError } from "../core/system_error.ts";
import { O_DIRECTORY, O_RDONLY } from "./constants.ts";
import { type Descriptor, openPath } from "./descriptor.ts";
import { readDirents } from "./dirents.ts";
import type { Libc } from "./libc.ts";
import { readLinkAt } from "./read_link.ts";

const BUFFER_BYTES = 64 * 1024;
/** The field of a line of mountinfo that says what of its file system a mount shows. */
const ROOT_FIELD = 3;
/** What the kernel adds to a root that was removed. */
const REMOVED = "//deleted";

/**
 * What the mounts of this host show: the root of each inside of its file system, in all mount
 * namespaces that a process is in.
 *
 * @returns `undefined` when not all processes can be seen, so that there is no telling
 */
export function mountRoots(libc: Libc): ReadonlySet<string> | undefined {
  try {
    using proc = openPath(libc, "/proc", O_RDONLY | O_DIRECTORY);
    const names = readDirents(proc).map(({ name }) => new TextDecoder().decode(name));
    const processes = names.filter((name) => /^[0-9]+$/.test(name));
    // Where processes of others are hidden, the first one is.
    if (!processes.includes("1")) return undefined;
    const roots = new Set<string>();
    const namespaces = new Set<string>();
    for (const process of processes) {
      const namespace = namespaceOf(proc, process);
      if (namespace !== undefined && namespaces.has(namespace)) continue;
      if (!addRoots(libc, process, roots)) continue;
      if (namespace !== undefined) namespaces.add(namespace);
    }
    return roots;
  } catch (error) {
    if (error instanceof SystemError) return undefined;
    throw error;
  }
}

/** Names the mount namespace of a process; `undefined` when that is not shown to us. */
function namespaceOf(proc: Descriptor, process: string): string | undefined {
  try {
    const path = `${process}/ns/mnt`;
    return new TextDecoder().decode(readLinkAt(proc, path, `/proc/${path}`));
  } catch (error) {
    if (error instanceof SystemError) return undefined;
    throw error;
  }
}

/**
 * Adds the roots that a process sees.
 *
 * @returns Whether it is still there
 * @throws {SystemError} when its mounts are not shown to us
 */
function addRoots(libc: Libc, process: string, roots: Set<string>): boolean {
  try {
    using file = openPath(libc, `/proc/${process}/mountinfo`, O_RDONLY);
    for (const line of textOf(file).split("\n")) {
      const root = line.split(" ")[ROOT_FIELD];
      if (root !== undefined) {
        roots.add(root.endsWith(REMOVED) ? root.slice(0, -REMOVED.length) : root);
      }
    }
    return true;
  } catch (error) {
    // It ended meanwhile, or has ended and nobody has asked for its status yet.
    const isGone = error instanceof SystemError && /^(ENOENT|ESRCH|EINVAL)$/.test(error.errno);
    if (isGone) return false;
    throw error;
  }
}

function textOf({ libc, number, subject }: Descriptor): string {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(BUFFER_BYTES);
  let text = "";
  for (;;) {
    const read = libc.symbols.read(number, buffer, BigInt(buffer.length));
    const length = Number(libc.check(read, "read", subject));
    if (length === 0) return text + decoder.decode();
    text += decoder.decode(buffer.subarray(0, length), { stream: true });
  }
}
