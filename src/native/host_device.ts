import { S_IFCHR, S_IFREG } from "../core/file_type.ts";
import type { HostDevice } from "../core/ports/host_device.ts";
import { hasErrno, SystemError } from "../core/system_error.ts";
import * as linux from "./constants.ts";
import { type Descriptor, openPath } from "./descriptor.ts";
import type { NativeHostTree } from "./host_tree.ts";
import type { Libc } from "./libc.ts";
import { isSameNode, statCached } from "./statx.ts";

/** Errors of an open for writing where only reading is allowed. */
const READ_ONLY = ["EACCES", "EPERM", "EROFS"];
/** Errors of an open where there is no device behind the path. */
const ABSENT = ["ENOENT", "ENOTDIR", "ENXIO", "ENODEV"];

/**
 * Opens a device of the host, or a file in its place.
 *
 * @param notThis A file that must not be it: a counter that followed itself would never rest
 * @returns `undefined` when there is none
 * @throws {SystemError} EINVAL for any other sort of node, ELOOP for `notThis`
 */
export async function openHostDevice(
  libc: Libc,
  tree: NativeHostTree,
  path: string,
  notThis: string,
): Promise<NativeHostDevice | undefined> {
  using opened = new DisposableStack();
  let device: Descriptor;
  try {
    device = opened.use(await openNode(tree, path));
  } catch (error) {
    if (hasErrno(error, ...ABSENT)) return undefined;
    throw error;
  }
  using other = openPath(libc, notThis, linux.O_PATH);
  if (isSameNode(statCached(device), statCached(other))) {
    throw new SystemError("ELOOP", "open", path);
  }
  opened.move();
  return new NativeHostDevice(device);
}

async function openNode(tree: NativeHostTree, path: string): Promise<Descriptor> {
  // Looked at before it is opened: to open some devices is to change them.
  using node = await tree.open(path, linux.O_PATH);
  const { type } = statCached(node);
  if (type !== S_IFCHR && type !== S_IFREG) {
    throw new SystemError("EINVAL", "open", path);
  }
  const flags = linux.O_NONBLOCK | linux.O_NOCTTY;
  try {
    if (type === S_IFCHR) return await tree.open(path, linux.O_RDWR | flags);
  } catch (error) {
    if (!hasErrno(error, ...READ_ONLY)) throw error;
  }
  return await tree.open(path, linux.O_RDONLY | flags);
}

/** An open node of the host. Reads and waits are on other threads, since a driver may be slow. */
export class NativeHostDevice implements HostDevice {
  readonly path: string;
  readonly #libc: Libc;
  readonly #node: Descriptor;
  readonly #isFile: boolean;
  #waiting: Promise<unknown> = Promise.resolve();

  /** @param node Opened with O_NONBLOCK; it is closed with this */
  constructor(node: Descriptor) {
    this.path = node.subject;
    this.#libc = node.libc;
    this.#node = node;
    this.#isFile = statCached(node).type === S_IFREG;
  }

  async read(count: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const bytes = new Uint8Array(count);
    try {
      return bytes.slice(0, Number(await this.#readInto(bytes)));
    } catch (error) {
      if (hasErrno(error, "EAGAIN")) return undefined;
      throw error;
    }
  }

  // deno-lint-ignore require-await -- a failed call must reject, as the port says
  async write(bytes: Uint8Array<ArrayBuffer>): Promise<boolean> {
    const size = BigInt(bytes.byteLength);
    const written = this.#libc.symbols.write(this.#node.number, bytes, size);
    // It was opened for reading only, as every file is.
    if (written < 0n && this.#libc.errno() === "EBADF") return false;
    this.#libc.check(written, "write", this.path);
    return true;
  }

  async wait(timeoutMs: number): Promise<"news" | "nothing" | "unpollable"> {
    if (this.#isFile) return "unpollable";
    const pollfd = new Uint8Array(linux.POLLFD_STRUCT.size);
    const view = new DataView(pollfd.buffer);
    view.setInt32(linux.POLLFD_STRUCT.fd, this.#node.number, true);
    view.setInt16(linux.POLLFD_STRUCT.events, linux.POLLIN, true);
    const { poll, poll_thread } = this.#libc.symbols;
    const waiting = poll_thread(pollfd, 1n, timeoutMs);
    this.#waiting = waiting;
    let ready = await waiting;
    // A signal may have ended the wait. It is repeated here for its errno, without waiting.
    if (ready < 0) ready = this.#libc.check(poll(pollfd, 1n, 0), "poll", this.path);
    if (ready === 0) return "nothing";
    const revents = view.getInt16(linux.POLLFD_STRUCT.revents, true);
    return (revents & linux.POLLIN) !== 0 ? "news" : "unpollable";
  }

  async close(): Promise<void> {
    await this.#waiting;
    this.#node[Symbol.dispose]();
  }

  async #readInto(bytes: Uint8Array<ArrayBuffer>): Promise<bigint> {
    const fd = this.#node.number;
    const size = BigInt(bytes.byteLength);
    try {
      return await this.#libc.onThread("pread", [fd, bytes, size, 0n], this.path);
    } catch (error) {
      if (!hasErrno(error, "ESPIPE")) throw error;
      // A device without offsets has only what comes next.
      return this.#libc.check(this.#libc.symbols.read(fd, bytes, size), "read", this.path);
    }
  }
}
