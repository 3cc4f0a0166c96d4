import { HOST_DIR_ENTRIES_MAX } from "../core/limits.ts";
import type { SharedName } from "../core/ports/shared_tree.ts";
import { SystemError } from "../core/system_error.ts";
import { DIRENT64_STRUCT } from "./constants.ts";
import type { Descriptor } from "./descriptor.ts";

/** About 2,000 names: enough for most folders in one call. */
const BUFFER_BYTES = 64 * 1024;
const DOT = 0x2e;

/**
 * The names in an open folder, in ascending order of their bytes, without `.` and `..`.
 *
 * @throws {SystemError} EOVERFLOW above HOST_DIR_ENTRIES_MAX; ENOTDIR when it is no folder
 */
export function readDirents({ libc, number, subject }: Descriptor): SharedName[] {
  const entries: SharedName[] = [];
  const buffer = new Uint8Array(BUFFER_BYTES);
  const view = new DataView(buffer.buffer);
  for (;;) {
    const read = libc.symbols.getdents64(number, buffer, BigInt(buffer.length));
    const end = Number(libc.check(read, "getdents64", subject));
    if (end === 0) return entries.sort((a, b) => compare(a.name, b.name));
    for (let at = 0; at < end; at += view.getUint16(at + DIRENT64_STRUCT.d_reclen, true)) {
      const start = at + DIRENT64_STRUCT.d_name;
      const name = buffer.slice(start, buffer.indexOf(0, start));
      if (isDots(name)) continue;
      const inode = view.getBigUint64(at + DIRENT64_STRUCT.d_ino, true);
      // A DT_* is the type bits of a mode, shifted.
      entries.push({ name, inode, type: view.getUint8(at + DIRENT64_STRUCT.d_type) << 12 });
    }
    if (entries.length > HOST_DIR_ENTRIES_MAX) {
      throw new SystemError("EOVERFLOW", "getdents64", subject);
    }
  }
}

function isDots(name: Uint8Array): boolean {
  return name[0] === DOT && (name.length === 1 || (name.length === 2 && name[1] === DOT));
}

function compare(a: Uint8Array, b: Uint8Array): number {
  for (let at = 0; at < Math.min(a.length, b.length); at++) {
    const difference = (a[at] as number) - (b[at] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
