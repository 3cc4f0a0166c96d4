import { PAGE_BYTES } from "../core/limits.ts";
import { SystemError } from "../core/system_error.ts";
import * as linux from "./constants.ts";
import { Descriptor, openPath } from "./descriptor.ts";
import { cString, type Libc } from "./libc.ts";

/**
 * A folder seen through a mount of its own that is read-only. A file opened there can be the
 * backing of a map, and can never be opened for writing through it: without this a descriptor that
 * was opened read-only can (docs/mount.md#8).
 */
export class ReadOnlyFolder implements Disposable {
  readonly #tree: Descriptor;

  /** @throws {SystemError} EPERM without CAP_SYS_ADMIN */
  constructor(libc: Libc, path: string) {
    const { symbols } = libc;
    const flags = linux.OPEN_TREE_CLONE | linux.O_CLOEXEC;
    const here = linux.AT_FDCWD;
    const tree = symbols.syscall_open_tree(linux.SYS_open_tree, here, cString(path), flags);
    this.#tree = new Descriptor(libc, Number(libc.check(tree, "open_tree", path)), path);
    const attr = new Uint8Array(
      BigUint64Array.of(BigInt(linux.MOUNT_ATTR_RDONLY), 0n, 0n, 0n).buffer,
    );
    const set = symbols.syscall_mount_setattr(
      linux.SYS_mount_setattr,
      this.#tree.number,
      cString(""),
      linux.AT_EMPTY_PATH,
      attr,
      BigInt(attr.byteLength),
    );
    if (set >= 0n) return;
    const errno = libc.errno();
    this[Symbol.dispose]();
    throw new SystemError(errno, "mount_setattr", path);
  }

  /** Opens a file below the folder. @throws {SystemError} */
  open(name: string): Descriptor {
    const { libc, number } = this.#tree;
    return openPath(libc, `/proc/self/fd/${number}/${name}`, linux.O_RDONLY);
  }

  [Symbol.dispose](): void {
    this.#tree[Symbol.dispose]();
  }
}

/** A page that one program may map for writing, as a file that no program finds by its name. */
export class OwnPage {
  /** @param file Open for reading and writing */
  private constructor(readonly file: Descriptor) {}

  /** Makes a page of zeros. @throws {SystemError} EEXIST */
  static create(libc: Libc, path: string): OwnPage {
    const flags = linux.O_RDWR | linux.O_CREAT | linux.O_EXCL;
    const page = new OwnPage(openPath(libc, path, flags, 0o600));
    try {
      // Whole from the start, so that a later store cannot fail for want of room.
      page.store(0, new Uint8Array(PAGE_BYTES));
    } catch (error) {
      page.remove();
      throw error;
    }
    return page;
  }

  /** Opens a page that an earlier process made. @throws {SystemError} */
  static open(libc: Libc, path: string): OwnPage {
    return new OwnPage(openPath(libc, path, linux.O_RDWR));
  }

  /** Stores bytes in place. @throws {SystemError} */
  store(offset: number, bytes: Uint8Array<ArrayBuffer>): void {
    const { libc, number, subject } = this.file;
    const size = BigInt(bytes.byteLength);
    const written = libc.symbols.pwrite(number, bytes, size, BigInt(offset));
    if (libc.check(written, "pwrite", subject) === size) return;
    throw new SystemError("ENOSPC", "pwrite", subject);
  }

  /**
   * Whether a program has it open or mapped. A write lease is given only to the sole opener, and
   * a map holds an open file.
   */
  isInUse(): boolean {
    const { libc, number } = this.file;
    const { fcntl } = libc.symbols;
    if (fcntl(number, linux.F_SETLEASE, linux.F_WRLCK) < 0) return true;
    fcntl(number, linux.F_SETLEASE, linux.F_UNLCK);
    return false;
  }

  /** Lets go of it; a program that maps it keeps its map. */
  close(): void {
    this.file[Symbol.dispose]();
  }

  /** Lets go of it and takes its file away. */
  remove(): void {
    this.file.libc.symbols.unlinkat(linux.AT_FDCWD, cString(this.file.subject), 0);
    this.close();
  }
}
