import { S_IFDIR, S_IFMT, S_IFREG } from "../core/file_type.ts";
import type { BackingAttributes } from "../core/ports/backing_file.ts";
import { NotRegularFileError, SystemError } from "../core/system_error.ts";
import * as linux from "./constants.ts";
import type { Descriptor } from "./descriptor.ts";
import { cString } from "./libc.ts";

const FIELDS = linux.STATX_STRUCT;
/** Linux counts the storage of a file in these, whatever its file system has. */
const BLOCK_BYTES = 512n;
const NO_PATH = cString("");
/** Shared by all calls on the event loop: each is decoded before anything else runs. */
const scratch = new Uint8Array(FIELDS.size);

/** The attributes of a node of the host. */
export interface NodeAttributes extends BackingAttributes {
  /** What it is: the type bits of its mode, one of S_IF*. */
  readonly type: number;
  /** Number of the device that a device node stands for; else 0. */
  readonly rdevMajor: number;
  readonly rdevMinor: number;
}

/**
 * The attributes of an open node, on the event loop.
 *
 * @param sync What the host asks storage for: by default nothing, it answers from memory
 * @throws {SystemError}
 */
export function statCached(
  { libc, number, subject }: Descriptor,
  sync = linux.AT_STATX_DONT_SYNC,
): NodeAttributes {
  const flags = linux.AT_EMPTY_PATH | sync;
  const result = libc.symbols.statx(number, NO_PATH, flags, linux.STATX_BASIC_STATS, scratch);
  libc.check(result, "statx", subject);
  return decode(scratch);
}

/**
 * The attributes of an open node as its storage has them now, on another thread.
 *
 * @throws {SystemError}
 */
export async function statSynced(file: Descriptor): Promise<NodeAttributes> {
  const buffer = new Uint8Array(FIELDS.size);
  const flags = linux.AT_EMPTY_PATH | linux.AT_STATX_FORCE_SYNC;
  await file.onThread("statx", [file.number, NO_PATH, flags, linux.STATX_BASIC_STATS, buffer]);
  return decode(buffer);
}

/** Whether two nodes are the same one. */
export function isSameNode(
  a: Pick<NodeAttributes, "device" | "inode">,
  b: Pick<NodeAttributes, "device" | "inode">,
): boolean {
  return a.device === b.device && a.inode === b.inode;
}

/**
 * Lets only regular files through.
 *
 * @throws {SystemError} EISDIR for a folder
 * @throws {NotRegularFileError} for any other node
 */
export function requireRegular({ type }: NodeAttributes, call: string, subject: string): void {
  if (type === S_IFREG) return;
  if (type === S_IFDIR) throw new SystemError("EISDIR", call, subject);
  throw new NotRegularFileError(call, subject);
}

function decode(buffer: Uint8Array<ArrayBuffer>): NodeAttributes {
  const view = new DataView(buffer.buffer);
  const u32 = (at: number) => view.getUint32(at, true);
  const u64 = (at: number) => view.getBigUint64(at, true);
  /** `struct statx_timestamp`: seconds in 64 bits, then nanoseconds in 32. */
  const timeNs = (at: number) => view.getBigInt64(at, true) * 1_000_000_000n + BigInt(u32(at + 8));
  const mode = view.getUint16(FIELDS.stx_mode, true);
  return {
    type: mode & S_IFMT,
    permissions: mode & ~S_IFMT,
    device: (BigInt(u32(FIELDS.stx_dev_major)) << 32n) | BigInt(u32(FIELDS.stx_dev_minor)),
    inode: u64(FIELDS.stx_ino),
    sizeBytes: u64(FIELDS.stx_size),
    usageBytes: u64(FIELDS.stx_blocks) * BLOCK_BYTES,
    uid: u32(FIELDS.stx_uid),
    gid: u32(FIELDS.stx_gid),
    accessTimeNs: timeNs(FIELDS.stx_atime),
    modificationTimeNs: timeNs(FIELDS.stx_mtime),
    statusChangeTimeNs: timeNs(FIELDS.stx_ctime),
    links: u32(FIELDS.stx_nlink),
    rdevMajor: u32(FIELDS.stx_rdev_major),
    rdevMinor: u32(FIELDS.stx_rdev_minor),
  };
}
