import { HOST_DIR_ENTRIES_MAX, PATH_BYTES_MAX } from "../core/limits.ts";
import type { NamePath, SharedName, SharedNode, SharedTree } from "../core/ports/shared_tree.ts";
import { SystemError } from "../core/system_error.ts";
import { cString, type Libc } from "./libc.ts";
import { NODE_DIRECTORY, NODE_FILE, type NodeAttributes, statCached } from "./statx.ts";

const SYS_OPENAT2 = 437n;
const RESOLVE_NO_MAGICLINKS = 0x02n;
const RESOLVE_NO_SYMLINKS = 0x04n;
const RESOLVE_BENEATH = 0x08n;
const OPEN_HOW_BYTES = 24n;
const O_NONBLOCK = 0o4000;
const O_NOCTTY = 0o400;
/** These two have numbers of their own on arm64. */
const [O_DIRECTORY, O_NOFOLLOW] = Deno.build.arch === "aarch64"
  ? [0o040000, 0o100000]
  : [0o200000, 0o400000];
const O_CLOEXEC = 0o2000000;
const O_PATH = 0o10000000;

const DIRENTS_BYTES = 64 * 1024;
/** Offsets in `struct linux_dirent64`. */
const DIRENT = { inode: 0, length: 16, type: 18, name: 19 } as const;
const [SLASH, DOT] = [0x2f, 0x2e];

/**
 * A folder of this host as it is shown to guests: openat2 keeps every path beneath it and follows
 * no link, whatever is renamed meanwhile. Names are bytes from end to end.
 */
export class SharedFolder implements SharedTree, Disposable {
  readonly #libc: Libc;
  readonly #fd: number;

  /** @throws {SystemError} when the folder cannot be opened */
  constructor(libc: Libc, folder: string) {
    this.#libc = libc;
    const flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
    this.#fd = libc.check(libc.symbols.open(cString(folder), flags, 0), "open", folder);
  }

  node(path: NamePath): Promise<SharedNode> {
    return this.#with(path, O_PATH, (fd) => nodeOf(statCached(this.#libc, fd, "a shared node")));
  }

  async names(path: NamePath): Promise<readonly SharedName[]> {
    const names = await this.#with(path, O_DIRECTORY | O_NONBLOCK, (fd) => this.#names(fd));
    return names.sort((a, b) => compare(a.name, b.name));
  }

  link(path: NamePath): Promise<Uint8Array> {
    return this.#with(path, O_PATH, (fd) => {
      const buffer = new Uint8Array(PATH_BYTES_MAX);
      const { readlinkat } = this.#libc.symbols;
      const length = readlinkat(fd, cString(""), buffer, BigInt(buffer.length));
      return buffer.slice(0, Number(this.#libc.check(length, "readlinkat", "a shared link")));
    });
  }

  async read(
    path: NamePath,
    { device, inode }: Pick<SharedNode, "device" | "inode">,
    at: bigint,
    length: number,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const isIt = (found: NodeAttributes): boolean =>
      found.device === device && found.inode === inode;
    // Looked at before it is opened, so that no device is woken and no writer of a FIFO let go.
    const before = await this.#with(
      path,
      O_PATH,
      (fd) => statCached(this.#libc, fd, "a shared file"),
    );
    if (before.type === NODE_DIRECTORY) throw new SystemError("EISDIR", "read", "a shared folder");
    if (before.type !== NODE_FILE) throw new SystemError("EINVAL", "read", "no regular file");
    return await this.#with(path, O_NONBLOCK | O_NOCTTY, async (fd) => {
      const found = statCached(this.#libc, fd, "a shared file");
      if (!isIt(found) || !isIt(before)) throw new SystemError("ESTALE", "read", "another file");
      const buffer = new Uint8Array(length);
      const count = await this.#libc.onThread(
        "pread",
        [fd, buffer, BigInt(length), at],
        "a shared file",
      );
      return buffer.subarray(0, Number(count));
    });
  }

  async #with<Result>(
    path: NamePath,
    flags: number,
    use: (fd: number) => Result | Promise<Result>,
  ): Promise<Result> {
    const name = joined(path);
    const how = BigUint64Array.of(
      BigInt(flags | O_CLOEXEC | O_NOFOLLOW),
      0n,
      RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    );
    const fd = Number(
      await this.#libc.onThread(
        "syscall_openat2",
        [SYS_OPENAT2, this.#fd, name, how, OPEN_HOW_BYTES],
        "a shared path",
      ),
    );
    try {
      return await use(fd);
    } finally {
      this.#libc.symbols.close(fd);
    }
  }

  #names(fd: number): SharedName[] {
    const names: SharedName[] = [];
    const buffer = new Uint8Array(DIRENTS_BYTES);
    const view = new DataView(buffer.buffer);
    for (;;) {
      const read = this.#libc.symbols.getdents64(fd, buffer, BigInt(buffer.length));
      const end = Number(this.#libc.check(read, "getdents64", "a shared folder"));
      if (end === 0) return names;
      for (let at = 0; at < end; at += view.getUint16(at + DIRENT.length, true)) {
        const start = at + DIRENT.name;
        const name = buffer.slice(start, buffer.indexOf(0, start));
        if (isDots(name)) continue;
        const inode = view.getBigUint64(at + DIRENT.inode, true);
        names.push({ name, inode, type: view.getUint8(at + DIRENT.type) << 12 });
      }
      if (names.length > HOST_DIR_ENTRIES_MAX) {
        throw new SystemError("EOVERFLOW", "getdents64", "a shared folder");
      }
    }
  }

  [Symbol.dispose](): void {
    this.#libc.symbols.close(this.#fd);
  }
}

/** A path for the kernel. Whatever the names are, openat2 has the last word on where they lead. */
function joined(path: NamePath): Uint8Array<ArrayBuffer> {
  const names = path.length === 0 ? [Uint8Array.of(DOT)] : path;
  const length = names.reduce((sum, name) => sum + name.length + 1, 0);
  if (length > PATH_BYTES_MAX) throw new SystemError("ENAMETOOLONG", "openat2", "a shared path");
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const [index, name] of names.entries()) {
    if (index > 0) bytes[at++] = SLASH;
    bytes.set(name, at);
    at += name.length;
  }
  return bytes;
}

function nodeOf({ type, permissions, ...rest }: NodeAttributes): SharedNode {
  return { ...rest, mode: type | permissions };
}

function isDots(name: Uint8Array): boolean {
  return name[0] === DOT && (name.length === 1 || (name.length === 2 && name[1] === DOT));
}

function compare(a: Uint8Array, b: Uint8Array): number {
  for (let at = 0; at < Math.min(a.length, b.length); at++) {
    if (a[at] !== b[at]) return (a[at] as number) - (b[at] as number);
  }
  return a.length - b.length;
}
