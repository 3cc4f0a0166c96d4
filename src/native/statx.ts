import type { BackingAttributes } from "../core/ports/backing_file.ts";
import { cString, type Libc } from "./libc.ts";

const AT_EMPTY_PATH = 0x1000;
const AT_STATX_FORCE_SYNC = 0x2000;
const AT_STATX_DONT_SYNC = 0x4000;
const STATX_BASIC_STATS = 0x7ff;
const STATX_BYTES = 256;
const BLOCK_BYTES = 512n;
const TYPE_BITS = 0o170000;
const NO_PATH = cString("");
/** Of a call that is decoded before anything else runs. */
const scratch = new Uint8Array(STATX_BYTES);

/** What a node is, by the type bits of its mode. */
export const NODE_DIRECTORY = 0o040000;
export const NODE_FILE = 0o100000;
export const NODE_CHARACTER = 0o020000;

/** The attributes of a node, with its type bits. */
export interface NodeAttributes extends BackingAttributes {
  readonly type: number;
}

/**
 * The attributes of an open node as the host has them in memory, without asking storage.
 *
 * @throws {SystemError}
 */
export function statCached(libc: Libc, fd: number, subject: string): NodeAttributes {
  const flags = AT_EMPTY_PATH | AT_STATX_DONT_SYNC;
  libc.check(
    libc.symbols.statx(fd, NO_PATH, flags, STATX_BASIC_STATS, scratch),
    "statx",
    subject,
  );
  return decode(scratch);
}

/**
 * The attributes of an open node as its storage has them, on another thread.
 *
 * @throws {SystemError}
 */
export async function statSynced(
  libc: Libc,
  fd: number,
  subject: string,
): Promise<NodeAttributes> {
  const buffer = new Uint8Array(STATX_BYTES);
  const flags = AT_EMPTY_PATH | AT_STATX_FORCE_SYNC;
  await libc.onThread("statx", [fd, NO_PATH, flags, STATX_BASIC_STATS, buffer], subject);
  return decode(buffer);
}

/** Offsets as in `struct statx` of linux/stat.h. */
function decode(buffer: Uint8Array<ArrayBuffer>): NodeAttributes {
  const view = new DataView(buffer.buffer);
  const u32 = (at: number) => view.getUint32(at, true);
  const u64 = (at: number) => view.getBigUint64(at, true);
  const timeNs = (at: number) => view.getBigInt64(at, true) * 1_000_000_000n + BigInt(u32(at + 8));
  const mode = view.getUint16(28, true);
  return {
    type: mode & TYPE_BITS,
    device: (BigInt(u32(136)) << 32n) | BigInt(u32(140)),
    inode: u64(32),
    sizeBytes: u64(40),
    usageBytes: u64(48) * BLOCK_BYTES,
    permissions: mode & 0o7777,
    uid: u32(20),
    gid: u32(24),
    accessTimeNs: timeNs(64),
    modificationTimeNs: timeNs(112),
    statusChangeTimeNs: timeNs(96),
    links: u32(16),
  };
}
