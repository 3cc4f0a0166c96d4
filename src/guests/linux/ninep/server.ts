import { ERRNO, type Errno } from "../../../core/errno.ts";
import { S_IFDIR, S_IFLNK, S_IFMT } from "../../../core/file_type.ts";
import {
  NINEP_FIDS_MAX,
  NINEP_MESSAGE_BYTES_MAX,
  NINEP_WALK_NAMES_MAX,
} from "../../../core/limits.ts";
import type { NamePath, SharedNode, SharedTree } from "../../../core/ports/shared_tree.ts";
import { Serial } from "../../../core/serial.ts";
import { hasErrno, SystemError } from "../../../core/system_error.ts";
import { HEAD_BYTES, MessageReader, MessageWriter, type Qid } from "./codec.ts";

/** A fid in a snapshot. */
export interface FidImage {
  readonly fid: number;
  /** Names in base64, because they may have any bytes. */
  readonly path: readonly string[];
  readonly device: string;
  readonly inode: string;
}

interface Fid {
  readonly path: NamePath;
  readonly found: Pick<SharedNode, "device" | "inode">;
}

/** Answers a message. */
type Handler = (request: MessageReader, reply: MessageWriter) => Promise<void> | void;

const [ERROR, FSYNC, FLUSH] = [7, 50, 108];
/** Types of messages that would change something. All of them are refused alike. */
const CHANGES: ReadonlySet<number> = new Set([14, 16, 18, 20, 26, 32, 70, 72, 74, 76, 118, 122]);

/** Errors that a guest is sent. It gets EIO for any other. */
const SENT: readonly Errno[] = [
  ...["ENOENT", "EBADF", "ENOMEM", "EACCES", "ENOTDIR", "EISDIR", "EINVAL", "EMFILE"] as const,
  ...["EROFS", "ENAMETOOLONG", "ELOOP", "EPROTO", "EOPNOTSUPP", "ESTALE"] as const,
];
const VERSION = new TextEncoder().encode("9P2000.L");
const UNKNOWN_VERSION = new TextEncoder().encode("unknown");
const READ_HEAD_BYTES = HEAD_BYTES + 4;
const READDIR_HEAD_BYTES = HEAD_BYTES + 4;
const DIRENT_HEAD_BYTES = 24;
const STATFS_MAGIC = 0x0102_1997;
const GETATTR_BASIC = 0x7ffn;
const BLOCK_BYTES = 4096;
const NS = 1_000_000_000n;
const [QID_FOLDER, QID_LINK] = [0x80, 0x02];
const OPEN_FOR_WRITING = 0o3;
const [SLASH, DOT] = [0x2f, 0x2e];

/**
 * A 9P2000.L server of a read-only tree. Messages are answered one after the other, and no file
 * stays open between them: a fid is a path and the identity of what was found there. So a clone of
 * the guest continues with the fids of its snapshot.
 */
export class NinepServer {
  readonly #tree: SharedTree;
  readonly #fids = new Map<number, Fid>();
  readonly #serial = new Serial();
  #messageBytes = NINEP_MESSAGE_BYTES_MAX;
  /** By the number of the message's type (9P2000.L, Linux, include/net/9p/9p.h). */
  readonly #handlers: ReadonlyMap<number, Handler> = new Map<number, Handler>([
    [8, (request, reply) => this.#statfs(request, reply)],
    [12, (request, reply) => this.#lopen(request, reply)],
    [22, (request, reply) => this.#readlink(request, reply)],
    [24, (request, reply) => this.#getattr(request, reply)],
    [40, (request, reply) => this.#readdir(request, reply)],
    [FSYNC, () => {}],
    [100, (request, reply) => this.#version(request, reply)],
    [104, (request, reply) => this.#attach(request, reply)],
    [FLUSH, () => {}],
    [110, (request, reply) => this.#walk(request, reply)],
    [116, (request, reply) => this.#read(request, reply)],
    [120, (request) => this.#clunk(request)],
  ]);

  constructor(tree: SharedTree) {
    this.#tree = tree;
  }

  /** Answers a message with another. It never rejects. */
  answer(message: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
    return this.#serial.run(async () => {
      const request = new MessageReader(message);
      const reply = new MessageWriter();
      try {
        const serve = this.#handlers.get(request.type);
        if (serve === undefined) throw error(CHANGES.has(request.type) ? "EROFS" : "EOPNOTSUPP");
        await serve(request, reply);
        return reply.message(request.type + 1, request.tag);
      } catch (error) {
        return new MessageWriter().u32(numberOf(error)).message(ERROR, tagOf(message));
      }
    });
  }

  #version(request: MessageReader, reply: MessageWriter): void {
    this.#fids.clear();
    const wanted = request.u32();
    const isKnown = new TextDecoder().decode(request.text()) === "9P2000.L";
    this.#messageBytes = Math.min(wanted, NINEP_MESSAGE_BYTES_MAX);
    if (this.#messageBytes < BLOCK_BYTES) throw error("EINVAL");
    reply.u32(this.#messageBytes).text(isKnown ? VERSION : UNKNOWN_VERSION);
  }

  async #attach(request: MessageReader, reply: MessageWriter): Promise<void> {
    const found = await this.#tree.node([]);
    this.#setFid(request.u32(), { path: [], found });
    reply.qid(qidOf(found));
  }

  async #walk(request: MessageReader, reply: MessageWriter): Promise<void> {
    const from = this.#fid(request.u32());
    const fid = request.u32();
    const count = request.u16();
    if (count > NINEP_WALK_NAMES_MAX) throw error("EINVAL");
    const names = Array.from({ length: count }, () => request.text());
    const qids: Qid[] = [];
    let { path, found } = from;
    for (const name of names) {
      try {
        const next = step(path, name);
        const there = await this.#tree.node(next);
        [path, found] = [next, there];
        qids.push(qidOf(there));
      } catch (failure) {
        // The names that were found are answered. Only a first name that is missing is an error.
        if (qids.length === 0) throw failure;
        break;
      }
    }
    if (qids.length === names.length) this.#setFid(fid, { path, found });
    reply.u16(qids.length);
    for (const qid of qids) reply.qid(qid);
  }

  async #lopen(request: MessageReader, reply: MessageWriter): Promise<void> {
    const fid = request.u32();
    if ((request.u32() & OPEN_FOR_WRITING) !== 0) throw error("EROFS");
    reply.qid(qidOf(await this.#node(fid))).u32(0);
  }

  async #read(request: MessageReader, reply: MessageWriter): Promise<void> {
    const { path, found } = this.#fid(request.u32());
    const at = request.u64();
    const length = Math.min(request.u32(), this.#messageBytes - READ_HEAD_BYTES);
    const bytes = await this.#tree.read(path, found, at, length);
    reply.u32(bytes.length).bytes(bytes);
  }

  async #readdir(request: MessageReader, reply: MessageWriter): Promise<void> {
    const { path } = this.#fid(request.u32());
    const from = request.u64();
    const room = Math.min(request.u32(), this.#messageBytes - READDIR_HEAD_BYTES);
    const names = await this.#tree.names(path);
    const entries = new MessageWriter();
    for (let index = Number(from); index < names.length; index++) {
      const { name, inode, type } = names[index] as typeof names[number];
      if (entries.bodyBytes + DIRENT_HEAD_BYTES + name.length > room) break;
      entries.qid({ type: qidType(type), version: 0, path: inode }).u64(BigInt(index + 1));
      // DT_DIR and its like are the type bits of the mode, shifted.
      entries.u8(type >> 12).text(name);
    }
    reply.u32(entries.bodyBytes).bytes(entries.message(0, 0).subarray(HEAD_BYTES));
  }

  async #readlink(request: MessageReader, reply: MessageWriter): Promise<void> {
    const { path } = this.#fid(request.u32());
    reply.text(await this.#tree.link(path));
  }

  async #statfs(request: MessageReader, reply: MessageWriter): Promise<void> {
    await this.#node(request.u32());
    reply.u32(STATFS_MAGIC).u32(BLOCK_BYTES);
    for (let field = 0; field < 6; field++) reply.u64(0n);
    reply.u32(255);
  }

  async #getattr(request: MessageReader, reply: MessageWriter): Promise<void> {
    writeAttributes(reply, await this.#node(request.u32()));
  }

  #clunk(request: MessageReader): void {
    if (!this.#fids.delete(request.u32())) throw error("EBADF");
  }

  /**
   * The node of a fid as it is now.
   *
   * @throws {SystemError} ESTALE when another node is in its place
   */
  async #node(fid: number): Promise<SharedNode> {
    const { path, found } = this.#fid(fid);
    const now = await this.#tree.node(path);
    if (now.device !== found.device || now.inode !== found.inode) throw error("ESTALE");
    return now;
  }

  #fid(fid: number): Fid {
    const known = this.#fids.get(fid);
    if (known === undefined) throw error("EBADF");
    return known;
  }

  #setFid(fid: number, to: Fid): void {
    if (!this.#fids.has(fid) && this.#fids.size >= NINEP_FIDS_MAX) throw error("EMFILE");
    this.#fids.set(fid, to);
  }

  /** The fids, for a snapshot. */
  get image(): readonly FidImage[] {
    return [...this.#fids].map(([fid, { path, found }]) => ({
      fid,
      path: path.map((name) => name.toBase64()),
      device: String(found.device),
      inode: String(found.inode),
    }));
  }

  set image(fids: readonly FidImage[]) {
    this.#fids.clear();
    for (const { fid, path, device, inode } of fids) {
      this.#fids.set(fid, {
        path: path.map((name) => Uint8Array.fromBase64(name)),
        found: { device: BigInt(device), inode: BigInt(inode) },
      });
    }
  }
}

/** The path one name further. `..` goes up and stops at the top, so nothing above has a name. */
function step(path: NamePath, name: Uint8Array): NamePath {
  if (name.length === 0 || name.includes(SLASH) || name.includes(0)) throw error("EINVAL");
  if (name[0] === DOT && name.length === 1) return path;
  if (name[0] === DOT && name[1] === DOT && name.length === 2) return path.slice(0, -1);
  return [...path, name];
}

function qidOf({ mode, modificationTimeNs, sizeBytes, inode }: SharedNode): Qid {
  const version = Number(BigInt.asUintN(32, modificationTimeNs ^ sizeBytes));
  return { type: qidType(mode), version, path: inode };
}

function qidType(mode: number): number {
  const type = mode & S_IFMT;
  return type === S_IFDIR ? QID_FOLDER : type === S_IFLNK ? QID_LINK : 0;
}

function writeAttributes(reply: MessageWriter, found: SharedNode): void {
  reply.u64(GETATTR_BASIC).qid(qidOf(found)).u32(found.mode).u32(found.uid).u32(found.gid);
  reply.u64(BigInt(found.links)).u64(0n).u64(found.sizeBytes).u64(BigInt(BLOCK_BYTES));
  reply.u64(found.usageBytes / 512n);
  for (const ns of [found.accessTimeNs, found.modificationTimeNs, found.statusChangeTimeNs, 0n]) {
    reply.u64(ns / NS).u64(ns % NS);
  }
  reply.u64(0n).u64(0n);
}

function error(errno: string): SystemError {
  return new SystemError(errno, "serve", "9p");
}

function numberOf(failure: unknown): number {
  // The message was cut short.
  if (failure instanceof RangeError) return ERRNO.EPROTO;
  // A path that leads out of the tree does not exist for the guest.
  if (hasErrno(failure, "EXDEV")) return ERRNO.ENOENT;
  return ERRNO[SENT.find((errno) => hasErrno(failure, errno)) ?? "EIO"];
}

function tagOf(message: Uint8Array): number {
  return (message[5] ?? 0) | (message[6] ?? 0) << 8;
}
