import * as linux from "./constants.ts";
import { type Descriptor, openPath } from "./descriptor.ts";
import type { Libc } from "./libc.ts";

/**
 * A write lease on a file. The kernel gives it only while nobody else has the file open, and a
 * mapping holds an open file; whoever opens it later waits until the lease is given back.
 */
export class FileLease implements Disposable {
  readonly #file: Descriptor;

  private constructor(file: Descriptor) {
    this.#file = file;
  }

  /**
   * Takes the lease.
   *
   * @returns `undefined` when somebody has the file, or there is no telling
   * @throws {SystemError} ENOENT when there is no such file
   */
  static take(libc: Libc, path: string): FileLease | undefined {
    const flags = linux.O_RDWR | linux.O_NOFOLLOW | linux.O_NONBLOCK;
    const file = openPath(libc, path, flags);
    const { fcntl } = libc.symbols;
    // The signal for somebody who waits would end the process; this one is ignored unless handled.
    const isQuiet = fcntl(file.number, linux.F_SETSIG, linux.SIGURG) === 0;
    if (isQuiet && fcntl(file.number, linux.F_SETLEASE, linux.F_WRLCK) === 0) {
      return new FileLease(file);
    }
    file[Symbol.dispose]();
    return undefined;
  }

  /** Whether nobody waits to open the file. */
  get isUndisturbed(): boolean {
    const { libc, number } = this.#file;
    return libc.symbols.fcntl(number, linux.F_GETLEASE, 0) === linux.F_WRLCK;
  }

  /** Gives the lease back. */
  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }
}

/**
 * Whether leases in a folder tell of mappings. On an overlay they do not: there a mapping holds a
 * file of the layer below.
 *
 * @param path A file that can be made there; it is removed
 * @throws {SystemError}
 */
export function leasesTellOfMappings(libc: Libc, path: string): boolean {
  const bytes = 1n;
  const file = openPath(libc, path, linux.O_RDWR | linux.O_CREAT | linux.O_EXCL, 0o600);
  let address: bigint;
  try {
    const { symbols } = libc;
    const mapped = symbols.mmap(0n, bytes, linux.PROT_READ, linux.MAP_SHARED, file.number, 0n);
    address = libc.check(mapped, "mmap", path);
  } finally {
    file[Symbol.dispose]();
  }
  try {
    using whileMapped = FileLease.take(libc, path);
    if (whileMapped !== undefined) return false;
  } finally {
    libc.symbols.munmap(address, bytes);
  }
  using afterwards = FileLease.take(libc, path);
  return afterwards !== undefined;
}
