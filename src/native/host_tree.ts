import { S_IFBLK, S_IFCHR, S_IFDIR, S_IFIFO, S_IFREG, S_IFSOCK } from "../core/file_type.ts";
import { HOST_FILE_BYTES_MAX } from "../core/limits.ts";
import type {
  HostNode,
  HostNodeIdentity,
  HostNodeKind,
  HostTree,
} from "../core/ports/host_tree.ts";
import { hasErrno, SystemError } from "../core/system_error.ts";
import { ConfinedFolder } from "./confined_folder.ts";
import * as linux from "./constants.ts";
import type { Descriptor } from "./descriptor.ts";
import { readDirents } from "./dirents.ts";
import { cString, type Libc } from "./libc.ts";
import { readLinkAt } from "./read_link.ts";
import { type NodeAttributes, requireRegular, statCached } from "./statx.ts";

/** A look-up through `..` fails with EAGAIN while anything on the host is renamed or mounted. */
const OPEN_TRIES = 64;

const KINDS: Readonly<Record<number, HostNodeKind>> = {
  [S_IFIFO]: "fifo",
  [S_IFCHR]: "char",
  [S_IFDIR]: "directory",
  [S_IFBLK]: "block",
  [S_IFREG]: "file",
  [S_IFSOCK]: "socket",
};

/**
 * The host's own tree below a folder, which is `/` or where a container sees the host's. Files of
 * sysfs are read through the C library because Deno refuses them under narrow grants.
 */
export class NativeHostTree implements HostTree, Disposable {
  readonly #root: ConfinedFolder;

  /** @throws {SystemError} when the folder cannot be opened */
  constructor(libc: Libc, hostRoot = "/") {
    this.#root = new ConfinedFolder(libc, hostRoot, linux.RESOLVE_IN_ROOT);
  }

  async stat(path: string): Promise<HostNode> {
    using node = await this.open(path, linux.O_PATH);
    return nodeOf(attributesOf(node));
  }

  async identify(path: string): Promise<HostNodeIdentity> {
    using node = await this.open(path, linux.O_PATH);
    const attributes = attributesOf(node);
    return {
      ...nodeOf(attributes),
      deviceMajor: Number(attributes.device >> 32n),
      deviceMinor: Number(attributes.device & 0xffff_ffffn),
      inode: attributes.inode,
    };
  }

  async readFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
    using file = await this.#openAfterLook(path, requireRegular);
    // The size that sysfs reports is not the one that a read gives, so it is read to the end.
    const { libc, number } = file;
    const bytes = readUpTo(
      HOST_FILE_BYTES_MAX + 1,
      (room) => libc.check(libc.symbols.read(number, room, BigInt(room.length)), "read", path),
    );
    if (bytes.length > HOST_FILE_BYTES_MAX) throw new SystemError("EFBIG", "read", path);
    return bytes;
  }

  async readAt(path: string, offset: number, count: number): Promise<Uint8Array<ArrayBuffer>> {
    using file = await this.#openAfterLook(path, requireRegular);
    const { libc, number } = file;
    return readUpTo(count, (room, done) => {
      const at = BigInt(offset + done);
      return libc.check(libc.symbols.pread(number, room, BigInt(room.length), at), "pread", path);
    });
  }

  async readLink(path: string): Promise<string> {
    const cut = path.lastIndexOf("/") + 1;
    using folder = await this.open(path.slice(0, cut), linux.O_PATH);
    return decode(readLinkAt(folder, path.slice(cut), path), path);
  }

  async list(path: string): Promise<readonly string[]> {
    using folder = await this.#openAfterLook(path, requireFolder);
    return readDirents(folder).map(({ name }) => decode(name, path));
  }

  /**
   * Opens a node, on a thread: a client's path may lead anywhere, also to storage that does not
   * answer. The caller closes it.
   *
   * @param flags As for open(2)
   * @throws {SystemError}
   */
  async open(path: string, flags: number): Promise<Descriptor> {
    for (let tries = 1;; tries++) {
      try {
        return await this.#root.open(cString(path), path, flags);
      } catch (error) {
        if (tries === OPEN_TRIES || !hasErrno(error, "EAGAIN")) throw error;
      }
    }
  }

  /**
   * Looks at the node before it is opened: opening a device or a FIFO can wake or block. The
   * second look is for a node that was put in its place in between.
   */
  async #openAfterLook(path: string, require: typeof requireRegular): Promise<Descriptor> {
    using looked = await this.open(path, linux.O_PATH);
    require(attributesOf(looked), "open", path);
    using opened = new DisposableStack();
    const node = opened.use(
      await this.open(path, linux.O_RDONLY | linux.O_NONBLOCK | linux.O_NOCTTY),
    );
    require(attributesOf(node), "open", path);
    opened.move();
    return node;
  }

  [Symbol.dispose](): void {
    this.#root[Symbol.dispose]();
  }
}

/** The host may ask storage, because a file of a network file system may be behind a device. */
function attributesOf(node: Descriptor): NodeAttributes {
  return statCached(node, linux.AT_STATX_SYNC_AS_STAT);
}

function nodeOf({ type, rdevMajor, rdevMinor, sizeBytes }: NodeAttributes): HostNode {
  const kind = KINDS[type] ?? "other";
  return { kind, rdevMajor, rdevMinor, sizeBytes: kind === "file" ? sizeBytes : 0n };
}

function requireFolder({ type }: NodeAttributes, call: string, subject: string): void {
  if (type !== S_IFDIR) throw new SystemError("ENOTDIR", call, subject);
}

/** Reads until `read` gives nothing more or there are `count` bytes. */
function readUpTo(
  count: number,
  read: (room: Uint8Array<ArrayBuffer>, done: number) => bigint,
): Uint8Array<ArrayBuffer> {
  const buffer = new Uint8Array(count);
  let done = 0;
  while (done < count) {
    const bytes = Number(read(buffer.subarray(done), done));
    if (bytes === 0) break;
    done += bytes;
  }
  return buffer.slice(0, done);
}

/** A name that is not UTF-8 fails: changed to fit into JSON it would name another file. */
function decode(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new SystemError("EILSEQ", "decode", path);
  }
}
