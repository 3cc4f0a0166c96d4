import { SystemError } from "../core/system_error.ts";
import { O_CLOEXEC, O_DIRECTORY, O_PATH, SYS_openat2 } from "./constants.ts";
import { Descriptor, openPath } from "./descriptor.ts";
import { cString, type Libc } from "./libc.ts";
import type { LibcSymbols } from "./symbols.ts";

/** A look-up through `..` fails with EAGAIN while anything on the host is renamed or mounted. */
const OPEN_TRIES = 64;

/**
 * A folder that no path leads out of: openat2(2) resolves every path below it and refuses to
 * leave, whatever others rename meanwhile (docs/inodes.md#8).
 */
export class ConfinedFolder implements Disposable {
  readonly #libc: Libc;
  readonly #folder: Descriptor;
  readonly #resolve: bigint;

  /**
   * @param resolve How paths are resolved, RESOLVE_* of openat2(2)
   * @throws {SystemError} when it cannot be opened; ENOTDIR when it is no folder
   */
  constructor(libc: Libc, folder: string, resolve: bigint) {
    this.#libc = libc;
    this.#folder = openPath(libc, folder, O_PATH | O_DIRECTORY);
    this.#resolve = resolve;
  }

  /**
   * Opens a path on another thread, since storage may be slow to find it.
   *
   * @param path Ended by a zero byte
   * @param subject How errors call it
   * @param mode Permission bits of a file that is made
   * @throws {SystemError}
   */
  async open(
    path: Uint8Array<ArrayBuffer>,
    subject: string,
    flags: number,
    mode = 0,
  ): Promise<Descriptor> {
    const args = this.#openat2(path, flags, mode);
    const fd = await this.#libc.onThread("syscall_openat2", args, subject);
    return new Descriptor(this.#libc, Number(fd), subject);
  }

  /**
   * Opens a path on the event loop: for file systems in memory, such as /sys and /dev.
   *
   * @throws {SystemError}
   */
  openSync(path: string, flags: number): Descriptor {
    const args = this.#openat2(cString(path), flags, 0);
    for (let tries = 1;; tries++) {
      const fd = this.#libc.symbols.syscall_openat2(...args);
      if (fd >= 0) return new Descriptor(this.#libc, Number(fd), path);
      const errno = this.#libc.errno();
      if (errno !== "EAGAIN" || tries === OPEN_TRIES) {
        throw new SystemError(errno, "openat2", path);
      }
    }
  }

  /** The arguments of openat2(2); `struct open_how` is flags, mode and resolve, 64 bits each. */
  #openat2(
    path: Uint8Array<ArrayBuffer>,
    flags: number,
    mode: number,
  ): Parameters<LibcSymbols["syscall_openat2"]> {
    const how = BigUint64Array.of(BigInt(flags | O_CLOEXEC), BigInt(mode), this.#resolve);
    return [SYS_openat2, this.#folder.number, path, how, BigInt(how.byteLength)];
  }

  /** Closes the folder. What was opened in it stays open. */
  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]();
  }
}
