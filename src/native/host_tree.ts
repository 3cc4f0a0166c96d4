import { HOST_DIR_ENTRIES_MAX, HOST_FILE_BYTES_MAX } from "../core/limits.ts";
import type { HostNode, HostNodeKind, HostTree } from "../core/ports/host_tree.ts";
import { SystemError } from "../core/system_error.ts";
import { cString, type Libc } from "./libc.ts";

const AT_EMPTY_PATH = 0x1000;
/** Open flags that x86-64 and arm64 Linux have in common. */
const O_RDONLY = 0;
const O_NOCTTY = 0o400;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const O_PATH = 0o10000000;
const SYS_OPENAT2 = 437n;
/** Every look-up starts at the tree's root and cannot leave it (openat2(2)). */
const RESOLVE_IN_ROOT = 0x10n;

/** A look-up through `..` fails with EAGAIN while anything on the host is renamed or mounted. */
const OPEN_TRIES = 64;

const STATX_TYPE = 1;
const STATX_SIZE = 0x200;
const STATX_BYTES = 256;
const STATX_MODE_AT = 28;
const STATX_SIZE_AT = 40;
const STATX_RDEV_MAJOR_AT = 128;
const STATX_RDEV_MINOR_AT = 132;
const FORMAT_MASK = 0o170000;
const FORMATS: Readonly<Record<number, HostNodeKind>> = {
  0o010000: "fifo",
  0o020000: "char",
  0o040000: "directory",
  0o060000: "block",
  0o100000: "file",
  0o140000: "socket",
};

const DIRENT_RECLEN_AT = 16;
const DIRENT_NAME_AT = 19;
const DIRENTS_BYTES = 32 * 1024;
const LINK_BYTES_MAX = 4096;

/**
 * The host's own tree below a folder, which is `/` or where a container sees the host's. Files of
 * sysfs are read through the C library because Deno refuses them under narrow grants.
 */
export class NativeHostTree implements HostTree, Disposable {
  readonly #libc: Libc;
  readonly #root: number;

  /** @throws {SystemError} when the folder cannot be opened */
  constructor(libc: Libc, hostRoot = "/") {
    this.#libc = libc;
    const fd = libc.symbols.open(cString(hostRoot), O_PATH | O_CLOEXEC, 0);
    this.#root = libc.check(fd, "open", hostRoot);
  }

  // deno-lint-ignore require-await -- a failed call must reject, as the port says
  async stat(path: string): Promise<HostNode> {
    return this.#with(path, O_PATH, (fd) => this.#nodeOf(fd, path));
  }

  // deno-lint-ignore require-await -- a failed call must reject, as the port says
  async readFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
    return this.#withOpened(path, "file", (fd) => this.#readAll(fd, path));
  }

  // deno-lint-ignore require-await -- a failed call must reject, as the port says
  async readAt(path: string, offset: number, count: number): Promise<Uint8Array<ArrayBuffer>> {
    return this.#withOpened(path, "file", (fd) => this.#readSome(fd, path, offset, count));
  }

  // deno-lint-ignore require-await -- a failed call must reject, as the port says
  async readLink(path: string): Promise<string> {
    const { folder, name } = splitPath(path);
    return this.#with(folder, O_PATH, (fd) => {
      const target = new Uint8Array(LINK_BYTES_MAX);
      const size = this.#libc.check(
        this.#libc.symbols.readlinkat(fd, cString(name), target, BigInt(target.length)),
        "readlinkat",
        path,
      );
      return decode(target.subarray(0, Number(size)), path);
    });
  }

  // deno-lint-ignore require-await -- a failed call must reject, as the port says
  async list(path: string): Promise<readonly string[]> {
    const names = this.#withOpened(path, "directory", (fd) => this.#readNames(fd, path));
    return names.sort(compareBytes).map((name) => decode(name, path));
  }

  [Symbol.dispose](): void {
    this.#libc.symbols.close(this.#root);
  }

  /**
   * Looks at the node before it is opened: opening a device or a FIFO can wake or block. The
   * second look is for a node that was put in its place in between.
   */
  #withOpened<Result>(
    path: string,
    kind: "file" | "directory",
    use: (fd: number) => Result,
  ): Result {
    const check = (fd: number) => {
      const found = this.#nodeOf(fd, path).kind;
      if (found === kind) return;
      const errno = kind === "directory" ? "ENOTDIR" : found === "directory" ? "EISDIR" : "EINVAL";
      throw new SystemError(errno, "open", path);
    };
    this.#with(path, O_PATH, check);
    return this.#with(path, O_RDONLY | O_NONBLOCK | O_NOCTTY, (fd) => {
      check(fd);
      return use(fd);
    });
  }

  #with<Result>(path: string, flags: number, use: (fd: number) => Result): Result {
    const fd = this.open(path, flags);
    try {
      return use(fd);
    } finally {
      this.#libc.symbols.close(fd);
    }
  }

  /**
   * Opens a node; the caller closes it.
   *
   * @param flags As for open(2); the descriptor is never inherited
   * @throws {SystemError}
   */
  open(path: string, flags: number): number {
    const how = new BigUint64Array([BigInt(flags | O_CLOEXEC), 0n, RESOLVE_IN_ROOT]);
    const name = cString(path);
    for (let tries = 1;; tries++) {
      const fd = this.#libc.symbols.syscall_openat2(
        SYS_OPENAT2,
        this.#root,
        name,
        how,
        BigInt(how.byteLength),
      );
      if (fd >= 0) return Number(fd);
      const errno = this.#libc.errno();
      if (errno !== "EAGAIN" || tries === OPEN_TRIES) {
        throw new SystemError(errno, "openat2", path);
      }
    }
  }

  #nodeOf(fd: number, path: string): HostNode {
    const buffer = new Uint8Array(STATX_BYTES);
    this.#libc.check(
      this.#libc.symbols.statx(fd, cString(""), AT_EMPTY_PATH, STATX_TYPE | STATX_SIZE, buffer),
      "statx",
      path,
    );
    const view = new DataView(buffer.buffer);
    const kind = FORMATS[view.getUint16(STATX_MODE_AT, true) & FORMAT_MASK] ?? "other";
    return {
      kind,
      rdevMajor: view.getUint32(STATX_RDEV_MAJOR_AT, true),
      rdevMinor: view.getUint32(STATX_RDEV_MINOR_AT, true),
      sizeBytes: kind === "file" ? view.getBigUint64(STATX_SIZE_AT, true) : 0n,
    };
  }

  /** The size that sysfs reports is not the one that a read gives, so it is read to the end. */
  #readAll(fd: number, path: string): Uint8Array<ArrayBuffer> {
    const buffer = new Uint8Array(HOST_FILE_BYTES_MAX + 1);
    let length = 0;
    while (length < buffer.length) {
      const room = buffer.subarray(length);
      const read = this.#libc.symbols.read(fd, room, BigInt(room.length));
      if (read === 0n) return buffer.slice(0, length);
      length += Number(this.#libc.check(read, "read", path));
    }
    throw new SystemError("EFBIG", "read", path);
  }

  #readSome(fd: number, path: string, offset: number, count: number): Uint8Array<ArrayBuffer> {
    const buffer = new Uint8Array(count);
    let length = 0;
    while (length < count) {
      const room = buffer.subarray(length);
      const at = BigInt(offset + length);
      const read = this.#libc.symbols.pread(fd, room, BigInt(room.length), at);
      if (read === 0n) break;
      length += Number(this.#libc.check(read, "pread", path));
    }
    return buffer.slice(0, length);
  }

  #readNames(fd: number, path: string): Uint8Array[] {
    const names: Uint8Array[] = [];
    const buffer = new Uint8Array(DIRENTS_BYTES);
    const view = new DataView(buffer.buffer);
    for (;;) {
      const read = this.#libc.symbols.getdents64(fd, buffer, BigInt(buffer.length));
      const end = Number(this.#libc.check(read, "getdents64", path));
      if (end === 0) return names;
      for (let at = 0; at < end; at += view.getUint16(at + DIRENT_RECLEN_AT, true)) {
        const start = at + DIRENT_NAME_AT;
        const name = buffer.slice(start, buffer.indexOf(0, start));
        if (!isDots(name)) names.push(name);
      }
      if (names.length > HOST_DIR_ENTRIES_MAX) {
        throw new SystemError("EOVERFLOW", "getdents64", path);
      }
    }
  }
}

function splitPath(path: string): { folder: string; name: string } {
  const end = path.lastIndexOf("/");
  return { folder: path.slice(0, end + 1), name: path.slice(end + 1) };
}

const DOT = 0x2e;

function isDots(name: Uint8Array): boolean {
  return name[0] === DOT && (name.length === 1 || (name.length === 2 && name[1] === DOT));
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** A name that is not UTF-8 has no place in an answer, and a changed one would name another file. */
function decode(bytes: Uint8Array, path: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new SystemError("EILSEQ", "decode", path);
  }
}
