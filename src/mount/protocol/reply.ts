import {
  ATTR,
  ATTR_OUT,
  DIRENT,
  ENTRY_OUT,
  INIT_OUT,
  INIT_OUT_BYTES,
  IOCTL_OUT,
  NOTIFY_POLL_OUT,
  OPEN_OUT,
  OUT_HEADER,
  POLL_OUT,
  STATFS_OUT,
  STATFS_OUT_BYTES,
  WRITE_OUT,
} from "./layout.ts";
import { ENTRY_FILE, ENTRY_FOLDER, NOTIFY } from "./numbers.ts";

/** What `stat` shows of a node. Times are nanoseconds since 1970. */
export interface Attributes {
  readonly ino: bigint;
  readonly size: number;
  /** Type and permissions, as in `st_mode`. */
  readonly mode: number;
  readonly links: number;
  readonly uid: number;
  readonly gid: number;
  readonly timeNs: bigint;
}

/** An answer to INIT. */
export interface InitReply {
  readonly major: number;
  readonly minor: number;
  readonly maxReadahead: number;
  readonly flags: bigint;
  readonly maxBackground: number;
  readonly congestionThreshold: number;
  readonly maxWrite: number;
  readonly maxPages: number;
  readonly maxStackDepth: number;
}

const BLOCK_BYTES = 512;
const NS_PER_SECOND = 1_000_000_000n;
const encoder = new TextEncoder();

/** A message for the device with room for a body, and a view of it. */
function message(
  unique: bigint,
  error: number,
  bodyBytes: number,
): { bytes: Uint8Array<ArrayBuffer>; view: DataView; body: number } {
  const bytes = new Uint8Array(OUT_HEADER.bytes + bodyBytes);
  const view = new DataView(bytes.buffer);
  OUT_HEADER.encode(view, 0, { len: bytes.byteLength, error, unique });
  return { bytes, view, body: OUT_HEADER.bytes };
}

/** The answer that a request failed. @param errno Positive */
export function failureReply(unique: bigint, errno: number): Uint8Array<ArrayBuffer> {
  return message(unique, -errno, 0).bytes;
}

/** An answer of bytes: none, those of a read or of a folder. */
export function bytesReply(
  unique: bigint,
  content: Uint8Array = new Uint8Array(0),
): Uint8Array<ArrayBuffer> {
  const { bytes, body } = message(unique, 0, content.byteLength);
  bytes.set(content, body);
  return bytes;
}

/** The answer to INIT. */
export function initReply(unique: bigint, reply: InitReply): Uint8Array<ArrayBuffer> {
  const { bytes, view, body } = message(unique, 0, INIT_OUT_BYTES);
  INIT_OUT.encode(view, body, {
    ...reply,
    flags: Number(BigInt.asUintN(32, reply.flags)),
    flags2: Number(reply.flags >> 32n),
    timeGran: 1,
  });
  return bytes;
}

/** The answer to a LOOKUP. Neither name nor attributes may be cached. */
export function entryReply(
  unique: bigint,
  node: bigint,
  attributes: Attributes,
): Uint8Array<ArrayBuffer> {
  const { bytes, view, body } = message(unique, 0, ENTRY_OUT.bytes + ATTR.bytes);
  ENTRY_OUT.encode(view, body, { nodeid: node });
  encodeAttributes(view, body + ENTRY_OUT.bytes, attributes);
  return bytes;
}

/** The answer to GETATTR and SETATTR. The attributes may not be cached. */
export function attributesReply(unique: bigint, attributes: Attributes): Uint8Array<ArrayBuffer> {
  const { bytes, view, body } = message(unique, 0, ATTR_OUT.bytes + ATTR.bytes);
  ATTR_OUT.encode(view, body, {});
  encodeAttributes(view, body + ATTR_OUT.bytes, attributes);
  return bytes;
}

/** The answer to OPEN and OPENDIR. @param flags Of FOPEN */
export function openReply(
  unique: bigint,
  reply: { readonly handle: bigint; readonly flags: number; readonly backing?: number | undefined },
): Uint8Array<ArrayBuffer> {
  const { bytes, view, body } = message(unique, 0, OPEN_OUT.bytes);
  const { handle, flags, backing = 0 } = reply;
  OPEN_OUT.encode(view, body, { fh: handle, openFlags: flags, backingId: backing });
  return bytes;
}

/** The answer to WRITE: how many bytes were taken. */
export function writeReply(unique: bigint, size: number): Uint8Array<ArrayBuffer> {
  const { bytes, view, body } = message(unique, 0, WRITE_OUT.bytes);
  WRITE_OUT.encode(view, body, { size });
  return bytes;
}

/** The answer to IOCTL: what the call returns. */
export function ioctlReply(unique: bigint, result: number): Uint8Array<ArrayBuffer> {
  const { bytes, view, body } = message(unique, 0, IOCTL_OUT.bytes);
  IOCTL_OUT.encode(view, body, { result });
  return bytes;
}

/** The answer to POLL: what the file is ready for. */
export function pollReply(unique: bigint, revents: number): Uint8Array<ArrayBuffer> {
  const { bytes, view, body } = message(unique, 0, POLL_OUT.bytes);
  POLL_OUT.encode(view, body, { revents });
  return bytes;
}

/** The answer to STATFS: a file system without room of its own. */
export function statfsReply(
  unique: bigint,
  { blockBytes, nameBytesMax }: { readonly blockBytes: number; readonly nameBytesMax: number },
): Uint8Array<ArrayBuffer> {
  const { bytes, view, body } = message(unique, 0, STATFS_OUT_BYTES);
  STATFS_OUT.encode(view, body, { bsize: blockBytes, frsize: blockBytes, namelen: nameBytesMax });
  return bytes;
}

/** The message that wakes whoever polls the file of this poll handle. */
export function pollWakeup(kh: bigint): Uint8Array<ArrayBuffer> {
  const { bytes, view, body } = message(0n, NOTIFY.poll, NOTIFY_POLL_OUT.bytes);
  NOTIFY_POLL_OUT.encode(view, body, { kh });
  return bytes;
}

/** One entry of a folder. */
export interface DirectoryEntry {
  readonly name: string;
  readonly isFolder: boolean;
  readonly ino: bigint;
}

/** Collects the answer to READDIR up to the size that was asked for. */
export class DirectoryReply {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;
  #used = 0;

  constructor(size: number) {
    this.#bytes = new Uint8Array(size);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** The entries so far. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#used);
  }

  /**
   * Adds an entry.
   *
   * @param next Offset by which the entry after it is asked for
   * @returns `false` when it does not fit any more
   */
  add({ name, isFolder, ino }: DirectoryEntry, next: bigint): boolean {
    const nameBytes = encoder.encode(name);
    const end = this.#used + padded(DIRENT.bytes + nameBytes.byteLength);
    if (end > this.#bytes.byteLength) return false;
    DIRENT.encode(this.#view, this.#used, {
      ino,
      off: next,
      namelen: nameBytes.byteLength,
      type: isFolder ? ENTRY_FOLDER : ENTRY_FILE,
    });
    this.#bytes.set(nameBytes, this.#used + DIRENT.bytes);
    this.#used = end;
    return true;
  }
}

/** Entries of a folder begin at multiples of 8. */
function padded(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}

function encodeAttributes(view: DataView, at: number, attributes: Attributes): void {
  const { ino, size, mode, links, uid, gid, timeNs } = attributes;
  const seconds = timeNs / NS_PER_SECOND;
  const nanoseconds = Number(timeNs % NS_PER_SECOND);
  ATTR.encode(view, at, {
    ino,
    size: BigInt(size),
    blocks: BigInt(Math.ceil(size / BLOCK_BYTES)),
    mode,
    nlink: links,
    uid,
    gid,
    blksize: 4096,
    ...{ atime: seconds, mtime: seconds, ctime: seconds },
    ...{ atimensec: nanoseconds, mtimensec: nanoseconds, ctimensec: nanoseconds },
  });
}
