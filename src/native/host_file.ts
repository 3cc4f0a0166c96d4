import type {
  AttributeChange,
  BackingAttributes,
  BackingFile,
  BackingLook,
} from "../core/ports/backing_file.ts";
import type { OpenRequest } from "../core/ports/root_folder.ts";
import { hasErrno, NotRegularFileError, SystemError } from "../core/system_error.ts";
import type { ConfinedFolder } from "./confined_folder.ts";
import {
  AT_FDCWD,
  AT_SYMLINK_FOLLOW,
  FALLOC_FL_KEEP_SIZE,
  O_CLOEXEC,
  STATVFS_STRUCT,
  UTIME_OMIT,
} from "./constants.ts";
import type { Descriptor } from "./descriptor.ts";
import { cString } from "./libc.ts";
import type { NonblockingReader } from "./nonblocking_reader.ts";
import { inParent, lookUp, openContent } from "./root_paths.ts";
import {
  isSameNode,
  type NodeAttributes,
  requireRegular,
  statCached,
  statSynced,
} from "./statx.ts";
import type { LibcSymbols, RepeatableCall } from "./symbols.ts";

/** What a path leads to, compared with a file that was opened by it. */
type PathLeadsTo = "it" | "another" | "nothing";

/** Where a file was opened, and how. */
interface Opening {
  readonly root: ConfinedFolder;
  readonly reader: NonblockingReader;
  readonly request: OpenRequest;
  /** Path by which any process of this host finds the file. */
  readonly hostPath: string;
}

const NS_PER_SECOND = 1_000_000_000n;
/** `fchown` leaves an owner or group with this id as it is. */
const SAME_ID = 0xffff_ffff;

/**
 * A regular file of this host. It is never mapped: somebody may truncate it, and touching a page
 * that is gone would end the process (SIGBUS).
 */
export class HostFile implements BackingFile {
  readonly hostPath: string;
  readonly #file: Descriptor;
  readonly #opening: Opening;
  /** The identity of the open file; it changes when the path is opened again. */
  #node: NodeAttributes;

  /** @param file A regular file; it is closed with this */
  constructor(file: Descriptor, node: NodeAttributes, opening: Opening) {
    this.hostPath = opening.hostPath;
    this.#file = file;
    this.#node = node;
    this.#opening = opening;
  }

  attributes(): BackingAttributes {
    return statCached(this.#file);
  }

  async look(): Promise<BackingLook> {
    const attributes = await statSynced(this.#file);
    const found = await this.#pathLeadsTo();
    // A renamed file still has a name, by which it lives on. One without any is lost at its close.
    const isAtPath = found === "it";
    return { attributes, named: isAtPath || found === "nothing" && attributes.links > 0, isAtPath };
  }

  readNonblocking(into: Uint8Array<ArrayBuffer>, offset: bigint): number | undefined {
    return this.#opening.reader.read(this.#file, into, offset);
  }

  async read(into: Uint8Array<ArrayBuffer>, offset: bigint): Promise<number> {
    return Number(await this.#call("pread", this.#fd, into, BigInt(into.byteLength), offset));
  }

  async write(bytes: Uint8Array<ArrayBuffer>, offset: bigint): Promise<number> {
    return Number(await this.#call("pwrite", this.#fd, bytes, BigInt(bytes.byteLength), offset));
  }

  async truncate(sizeBytes: bigint): Promise<void> {
    await this.#call("ftruncate", this.#fd, sizeBytes);
  }

  async change(change: AttributeChange): Promise<void> {
    const { uid = SAME_ID, gid = SAME_ID, permissions } = change;
    if (uid !== SAME_ID || gid !== SAME_ID) await this.#call("fchown", this.#fd, uid, gid);
    if (permissions !== undefined) await this.#call("fchmod", this.#fd, permissions);
    if (change.accessTimeNs === undefined && change.modificationTimeNs === undefined) return;
    const times = BigInt64Array.of(
      ...timespec(change.accessTimeNs),
      ...timespec(change.modificationTimeNs),
    );
    await this.#call("futimens", this.#fd, times);
  }

  async reserve(length: bigint): Promise<void> {
    if (length <= 0n) return;
    try {
      await this.#fallocate(FALLOC_FL_KEEP_SIZE, 0n, length);
    } catch (error) {
      if (hasErrno(error, "ENOSPC", "EDQUOT", "EFBIG")) throw error;
    }
  }

  allocate(offset: bigint, length: bigint): Promise<void> {
    return this.#fallocate(0, offset, length);
  }

  async #fallocate(mode: number, offset: bigint, length: bigint): Promise<void> {
    // Not posix_fallocate, though it returns its errno: where storage has no fallocate, it writes
    // zeros into the file, also over what others write meanwhile.
    try {
      await this.#call("fallocate", this.#fd, mode, offset, length);
    } catch (error) {
      if (!hasErrno(error, "EIO") || await this.#freeBytes() >= length) throw error;
      throw new SystemError("ENOSPC", "fallocate", this.#file.subject);
    }
  }

  async link(path: string): Promise<void> {
    const own = cString(`/proc/self/fd/${this.#fd}`);
    await inParent(this.#opening.root, path, ({ libc, number, threads }, name) => {
      const args = [AT_FDCWD, own, number, name, AT_SYMLINK_FOLLOW] as const;
      return libc.onThread("linkat", [...args], path, threads);
    });
  }

  async unlink(path: string): Promise<void> {
    const found = await lookUp(this.#opening.root, path);
    if (found === undefined) throw new SystemError("ENOENT", "unlinkat", path);
    if (!isSameNode(found, this.#node)) throw new SystemError("ESTALE", "unlinkat", path);
    await inParent(
      this.#opening.root,
      path,
      ({ libc, number, threads }, name) =>
        libc.onThread("unlinkat", [number, name, 0], path, threads),
    );
  }

  async reopen(accept: (found: BackingAttributes) => void): Promise<void> {
    const { root, request } = this.#opening;
    const { subject } = this.#file;
    if (await lookUp(root, request.path) === undefined) {
      throw new SystemError("ENOENT", "openat2", subject);
    }
    const again = await openContent(root, request, false);
    try {
      const found = statCached(again);
      requireRegular(found, "openat2", subject);
      accept(found);
      // The number stays, so that calls under way never meet a third file under it.
      await again.onThread("dup3", [again.number, this.#fd, O_CLOEXEC]);
      this.#node = found;
    } finally {
      await again.close();
    }
  }

  async sync(): Promise<void> {
    // Linux reports a failed write-back once for each descriptor: a second fdatasync would succeed
    // over lost pages. So its failure is final, and its errno stays unknown.
    const { number, subject } = this.#file;
    if (await this.#file.once((symbols) => symbols.fdatasync_thread(number)) < 0) {
      throw new SystemError("EIO", "fdatasync", subject);
    }
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  get #fd(): number {
    return this.#file.number;
  }

  #call<Call extends RepeatableCall>(
    call: Call,
    ...args: Parameters<LibcSymbols[Call]>
  ): Promise<ReturnType<LibcSymbols[Call]>> {
    return this.#file.onThread(call, args);
  }

  async #pathLeadsTo(): Promise<PathLeadsTo> {
    const { root, request } = this.#opening;
    try {
      const found = await lookUp(root, request.path);
      if (found === undefined) return "nothing";
      return isSameNode(found, this.#node) ? "it" : "another";
    } catch (error) {
      if (error instanceof NotRegularFileError || hasErrno(error, "EISDIR")) return "another";
      if (hasErrno(error, "ENOTDIR", "ELOOP", "EXDEV")) return "nothing";
      throw error;
    }
  }

  /** The bytes that its file system has left for users. */
  async #freeBytes(): Promise<bigint> {
    const buffer = new Uint8Array(STATVFS_STRUCT.size);
    await this.#call("fstatvfs", this.#fd, buffer);
    const view = new DataView(buffer.buffer);
    return view.getBigUint64(STATVFS_STRUCT.f_frsize, true) *
      view.getBigUint64(STATVFS_STRUCT.f_bavail, true);
  }
}

/** `struct timespec`: seconds, then nanoseconds, which are never negative. */
function timespec(timeNs: bigint | undefined): [bigint, bigint] {
  if (timeNs === undefined) return [0n, UTIME_OMIT];
  const fraction = (timeNs % NS_PER_SECOND + NS_PER_SECOND) % NS_PER_SECOND;
  return [(timeNs - fraction) / NS_PER_SECOND, fraction];
}
