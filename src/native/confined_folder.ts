import { O_CLOEXEC, O_DIRECTORY, O_PATH, SYS_openat2 } from "./constants.ts";
import { Descriptor, openPath } from "./descriptor.ts";
import type { Libc } from "./libc.ts";
import type { ThreadShare } from "./thread_share.ts";
import { statCached } from "./statx.ts";

/**
 * A folder that no path leads out of: openat2(2) resolves every path below it and refuses to
 * leave, whatever others rename meanwhile (docs/inodes.md#8). Neither does one lead into a file system
 * that this process serves itself (docs/mount.md#8).
 */
export class ConfinedFolder implements Disposable {
  readonly #libc: Libc;
  readonly #folder: Descriptor;
  readonly #resolve: bigint;
  readonly #threads: ThreadShare | undefined;

  /**
   * @param resolve How paths are resolved, RESOLVE_* of openat2(2)
   * @param threads The share of threads on which its storage is waited for
   * @throws {SystemError} when it cannot be opened; ENOTDIR when it is no folder
   */
  constructor(libc: Libc, folder: string, resolve: bigint, threads?: ThreadShare) {
    this.#libc = libc;
    this.#folder = openPath(libc, folder, O_PATH | O_DIRECTORY);
    this.#resolve = resolve;
    this.#threads = threads;
  }

  /**
   * Opens a path on another thread, since storage may be slow to find it.
   *
   * @param path Ended by a zero byte
   * @param subject How errors call it
   * @param mode Permission bits of a file that is made
   * @throws {SystemError} EDEADLK below an own mount
   */
  async open(
    path: Uint8Array<ArrayBuffer>,
    subject: string,
    flags: number,
    mode = 0,
  ): Promise<Descriptor> {
    // `struct open_how` is flags, mode and resolve, 64 bits each.
    const how = BigUint64Array.of(BigInt(flags | O_CLOEXEC), BigInt(mode), this.#resolve);
    const args = [SYS_openat2, this.#folder.number, path, how, BigInt(how.byteLength)] as const;
    const threads = this.#threads;
    const fd = await this.#libc.onThread("syscall_openat2", [...args], subject, threads);
    const opened = new Descriptor(this.#libc, Number(fd), subject, threads);
    try {
      // The root of a mount is opened without a request to who serves it.
      this.#libc.ownMounts.requireForeign(() => statCached(opened), "openat2", subject);
      return opened;
    } catch (error) {
      opened[Symbol.dispose]();
      throw error;
    }
  }

  /** Closes the folder. What was opened in it stays open. */
  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]();
  }
}
