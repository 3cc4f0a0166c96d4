import type { OpenedBacking, OpenRequest, RootFolder } from "../core/ports/root_folder.ts";
import { SystemError } from "../core/system_error.ts";
import { HostFile, NonblockingReader, type PathLeadsTo } from "./host_file.ts";
import { cString, type Libc } from "./libc.ts";
import { NODE_DIRECTORY, NODE_FILE, type NodeAttributes, statCached } from "./statx.ts";

/** The same number on every architecture that Linux has had since openat2 came. */
const SYS_OPENAT2 = 437n;
const RESOLVE_NO_MAGICLINKS = 0x02n;
const RESOLVE_BENEATH = 0x08n;
const OPEN_HOW_BYTES = 24n;

const O_RDWR = 0o2;
const O_CREAT = 0o100;
const O_EXCL = 0o200;
const O_NOCTTY = 0o400;
const O_NONBLOCK = 0o4000;
const O_NOATIME = 0o1000000;
const O_CLOEXEC = 0o2000000;
const O_PATH = 0o10000000;
const O_DIRECTORY = 0o200000;
const AT_FDCWD = -100;
const AT_SYMLINK_FOLLOW = 0x400;

/** Times that an open is tried anew while others rename or make things on the way. */
const OPEN_TRIES = 16;

/** How a root is served. */
interface HostRootOptions {
  readonly readOnly?: boolean;
  /** Reads leave the access time alone, where the owner of the file permits it. */
  readonly noatime?: boolean;
}

/** A folder of this host as a root, confined by openat2 (spec decision 8). */
export class HostRoot implements RootFolder, Disposable {
  readonly readOnly: boolean;
  readonly #libc: Libc;
  readonly #reader: NonblockingReader;
  readonly #fd: number;
  readonly noatime: boolean;

  /** @throws {SystemError} when the folder cannot be opened; ENOTDIR when it is none */
  constructor(libc: Libc, readonly folder: string, options: HostRootOptions = {}) {
    this.readOnly = options.readOnly ?? false;
    this.noatime = options.noatime ?? false;
    this.#libc = libc;
    this.#fd = libc.check(
      libc.symbols.open(cString(folder), O_PATH | O_CLOEXEC, 0),
      "open",
      folder,
    );
    if (statCached(libc, this.#fd, folder).type !== NODE_DIRECTORY) {
      libc.symbols.close(this.#fd);
      throw new SystemError("ENOTDIR", "open", folder);
    }
    this.#reader = new NonblockingReader(libc);
  }

  async open(request: OpenRequest): Promise<OpenedBacking> {
    const { path, create } = request;
    for (let tries = 1;; tries++) {
      const found = await this.#regularFileAt(path);
      if (found === undefined && create === "never") {
        throw new SystemError("ENOENT", "openat2", path);
      }
      if (found !== undefined && create === "exclusive") {
        throw new SystemError("EEXIST", "openat2", path);
      }
      try {
        const fd = await this.#openContent(request, found === undefined);
        const opened = statCached(this.#libc, fd, path);
        if (found === undefined || isSame(found, opened)) {
          return { file: this.#file(fd, request, opened), created: found === undefined };
        }
        this.#libc.symbols.close(fd);
      } catch (error) {
        if (tries >= OPEN_TRIES || !isRace(error)) throw error;
      }
      if (tries >= OPEN_TRIES) throw new SystemError("EAGAIN", "openat2", path);
    }
  }

  #file(fd: number, request: OpenRequest, opened: NodeAttributes): HostFile {
    const { path } = request;
    let mine = opened;
    return new HostFile(this.#libc, this.#reader, fd, path, `${this.folder}/${path}`, {
      look: async (): Promise<PathLeadsTo> => {
        try {
          const found = await this.#regularFileAt(path);
          return found === undefined ? "nothing" : isSame(found, mine) ? "it" : "another";
        } catch (error) {
          return withoutFile(error);
        }
      },
      reopen: async (accept) => {
        if (await this.#regularFileAt(path) === undefined) {
          throw new SystemError("ENOENT", "openat2", path);
        }
        const again = await this.#openContent({ ...request, create: "never" }, false);
        try {
          const found = statCached(this.#libc, again, path);
          if (found.type !== NODE_FILE) throw new SystemError("EINVAL", "openat2", path);
          accept(found);
          // The number stays, so that calls under way never meet a third file under it.
          this.#libc.check(this.#libc.symbols.dup3(again, fd, O_CLOEXEC), "dup3", path);
          mine = found;
        } finally {
          this.#libc.symbols.close(again);
        }
      },
      link: (name) => this.#link(fd, name),
      unlink: async (name) => {
        const found = await this.#regularFileAt(name);
        if (found === undefined) throw new SystemError("ENOENT", "unlinkat", name);
        if (!isSame(found, mine)) throw new SystemError("ESTALE", "unlinkat", name);
        await this.#inParent(name, async (parent, last) => {
          await this.#libc.onThread("unlinkat", [parent, cString(last), 0], name);
        });
      },
    });
  }

  async #link(fd: number, path: string): Promise<void> {
    await this.#inParent(path, async (parent, last) => {
      const from = cString(`/proc/self/fd/${fd}`);
      const to = cString(last);
      await this.#libc.onThread("linkat", [AT_FDCWD, from, parent, to, AT_SYMLINK_FOLLOW], path);
    });
  }

  /** Calls `act` with the open folder that a path ends in, below the root, and its last name. */
  async #inParent(
    path: string,
    act: (parent: number, last: string) => Promise<void>,
  ): Promise<void> {
    const cut = path.lastIndexOf("/");
    const last = path.slice(cut + 1);
    if (["", ".", ".."].includes(last)) throw new SystemError("EINVAL", "openat2", path);
    const folder = cut < 0 ? "." : path.slice(0, cut) || "/";
    const parent = await this.#openat2(folder, O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
    try {
      await act(parent, last);
    } finally {
      this.#libc.symbols.close(parent);
    }
  }

  /**
   * What the regular file at a path is, `undefined` when nothing is there. Opens
   * nothing, so that no device is woken and no writer of a FIFO is let go.
   */
  async #regularFileAt(path: string): Promise<NodeAttributes | undefined> {
    let fd: number;
    try {
      fd = await this.#openat2(path, O_PATH | O_CLOEXEC, 0);
    } catch (error) {
      if (error instanceof SystemError && error.errno === "ENOENT") return undefined;
      throw error;
    }
    try {
      const attributes = statCached(this.#libc, fd, path);
      if (attributes.type === NODE_FILE) return attributes;
      throw new SystemError(
        attributes.type === NODE_DIRECTORY ? "EISDIR" : "EINVAL",
        "openat2",
        path,
      );
    } finally {
      this.#libc.symbols.close(fd);
    }
  }

  async #openContent(request: OpenRequest, isNew: boolean): Promise<number> {
    const flags = O_CLOEXEC | O_NOCTTY | O_NONBLOCK |
      (request.access === "rw" ? O_RDWR : 0) |
      (isNew ? O_CREAT | O_EXCL : 0);
    const mode = isNew ? request.permissions : 0;
    if (!this.noatime && request.noatime !== true) {
      return await this.#openat2(request.path, flags, mode);
    }
    try {
      return await this.#openat2(request.path, flags | O_NOATIME, mode);
    } catch (error) {
      // Only the owner may leave the access time alone.
      if (!(error instanceof SystemError) || error.errno !== "EPERM") throw error;
      return await this.#openat2(request.path, flags, mode);
    }
  }

  async #openat2(path: string, flags: number, mode: number): Promise<number> {
    const name = cString(path);
    const how = BigUint64Array.of(
      BigInt(flags),
      BigInt(mode),
      RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    );
    return Number(
      await this.#libc.onThread(
        "syscall_openat2",
        [SYS_OPENAT2, this.#fd, name, how, OPEN_HOW_BYTES],
        path,
      ),
    );
  }

  /** Lets go of the folder. Files opened in it must be closed before. */
  [Symbol.dispose](): void {
    this.#reader[Symbol.dispose]();
    this.#libc.symbols.close(this.#fd);
  }
}

function isSame(a: NodeAttributes, b: NodeAttributes): boolean {
  return a.inode === b.inode && a.device === b.device;
}

/** EAGAIN: something was renamed while `..` was resolved. The others: made or removed just now. */
function isRace(error: unknown): boolean {
  return error instanceof SystemError && ["EAGAIN", "EEXIST", "ENOENT"].includes(error.errno);
}

/** What a path leads to that cannot be opened as a file; any other error says nothing of that. */
function withoutFile(error: unknown): PathLeadsTo {
  const errno = error instanceof SystemError ? error.errno : "";
  if (["EISDIR", "EINVAL"].includes(errno)) return "another";
  if (["ENOTDIR", "ELOOP", "EXDEV"].includes(errno)) return "nothing";
  throw error;
}
