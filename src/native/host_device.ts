import type { HostDevice } from "../core/ports/host_device.ts";
import { SystemError } from "../core/system_error.ts";
import type { NativeHostTree } from "./host_tree.ts";
import { cString, type Libc } from "./libc.ts";
import { NODE_CHARACTER, NODE_FILE, statCached } from "./statx.ts";

const O_RDONLY = 0;
const O_RDWR = 2;
const O_NOCTTY = 0o400;
const O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const O_PATH = 0o10000000;
/** What an open for writing answers where only reading is allowed. */
const READ_ONLY: ReadonlySet<string> = new Set(["EACCES", "EPERM", "EROFS"]);
/** What there is no device behind a path for. */
const ABSENT: ReadonlySet<string> = new Set(["ENOENT", "ENOTDIR", "ENXIO", "ENODEV"]);

const POLLFD_BYTES = 8;
const POLLFD_REVENTS_AT = 6;
const POLLIN = 0x1;

/**
 * Opens a device of the host, or a file in its place.
 *
 * @param notThis A file that must not be it: a counter that followed itself would never rest
 * @returns `undefined` when there is none
 * @throws {SystemError} EINVAL for any other sort of node, ELOOP for `notThis`
 */
export function openHostDevice(
  libc: Libc,
  tree: NativeHostTree,
  path: string,
  notThis: string,
): NativeHostDevice | undefined {
  let fd: number;
  try {
    fd = openBy(kindOf(libc, tree, path), tree, path);
  } catch (error) {
    if (error instanceof SystemError && ABSENT.has(error.errno)) return undefined;
    throw error;
  }
  try {
    if (isSame(libc, fd, notThis)) throw new SystemError("ELOOP", "open", path);
    return new NativeHostDevice(libc, fd, path);
  } catch (error) {
    libc.symbols.close(fd);
    throw error;
  }
}

function isSame(libc: Libc, fd: number, path: string): boolean {
  const other = libc.check(libc.symbols.open(cString(path), O_PATH | O_CLOEXEC, 0), "open", path);
  try {
    const [a, b] = [statCached(libc, fd, path), statCached(libc, other, path)];
    return a.device === b.device && a.inode === b.inode;
  } finally {
    libc.symbols.close(other);
  }
}

/** Looks before it opens: to open some devices is to change them. */
function kindOf(libc: Libc, tree: NativeHostTree, path: string): number {
  const fd = tree.open(path, O_PATH);
  try {
    const { type } = statCached(libc, fd, path);
    if (type === NODE_CHARACTER || type === NODE_FILE) return type;
    throw new SystemError("EINVAL", "open", path);
  } finally {
    libc.symbols.close(fd);
  }
}

function openBy(type: number, tree: NativeHostTree, path: string): number {
  try {
    if (type === NODE_CHARACTER) return tree.open(path, O_RDWR | O_NONBLOCK | O_NOCTTY);
  } catch (error) {
    if (!(error instanceof SystemError) || !READ_ONLY.has(error.errno)) throw error;
  }
  return tree.open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
}

/** An open node of the host, called on threads of their own: a driver may take its time. */
export class NativeHostDevice implements HostDevice {
  readonly #libc: Libc;
  readonly #fd: number;
  readonly #isFile: boolean;
  #waiting: Promise<unknown> = Promise.resolve();

  /** @param fd An open node, not blocking; it is closed with this */
  constructor(libc: Libc, fd: number, readonly path: string) {
    this.#libc = libc;
    this.#fd = fd;
    this.#isFile = statCached(libc, fd, path).type === NODE_FILE;
  }

  async read(count: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const bytes = new Uint8Array(count);
    try {
      return bytes.slice(0, Number(await this.#readInto(bytes)));
    } catch (error) {
      if (error instanceof SystemError && error.errno === "EAGAIN") return undefined;
      throw error;
    }
  }

  // deno-lint-ignore require-await -- a failed call must reject, as the port says
  async write(bytes: Uint8Array<ArrayBuffer>): Promise<boolean> {
    const size = BigInt(bytes.byteLength);
    const written = this.#libc.symbols.write(this.#fd, bytes, size);
    // Opened for reading only, as every file is.
    if (written < 0n && this.#libc.errno() === "EBADF") return false;
    this.#libc.check(written, "write", this.path);
    return true;
  }

  async wait(timeoutMs: number): Promise<"news" | "nothing" | "unpollable"> {
    if (this.#isFile) return "unpollable";
    const pollfd = new Uint8Array(POLLFD_BYTES);
    const view = new DataView(pollfd.buffer);
    view.setInt32(0, this.#fd, true);
    view.setInt16(4, POLLIN, true);
    const waiting = this.#libc.symbols.poll_thread(pollfd, 1n, timeoutMs);
    this.#waiting = waiting;
    const { poll } = this.#libc.symbols;
    let ready = await waiting;
    // Asked here for its errno, and without a wait: a signal may have ended the other.
    if (ready < 0) ready = this.#libc.check(poll(pollfd, 1n, 0), "poll", this.path);
    if (ready === 0) return "nothing";
    return (view.getInt16(POLLFD_REVENTS_AT, true) & POLLIN) !== 0 ? "news" : "unpollable";
  }

  async close(): Promise<void> {
    await this.#waiting;
    this.#libc.symbols.close(this.#fd);
  }

  async #readInto(bytes: Uint8Array<ArrayBuffer>): Promise<bigint> {
    const size = BigInt(bytes.byteLength);
    try {
      return await this.#libc.onThread("pread", [this.#fd, bytes, size, 0n], this.path);
    } catch (error) {
      if (!(error instanceof SystemError) || error.errno !== "ESPIPE") throw error;
      // A device without places has only what comes next.
      const { read } = this.#libc.symbols;
      return this.#libc.check(read(this.#fd, bytes, size), "read", this.path);
    }
  }
}
