import { NONBLOCKING_READ_BYTES_MAX } from "../core/limits.ts";
import { SystemError } from "../core/system_error.ts";
import { RWF_NOWAIT } from "./constants.ts";
import type { Descriptor } from "./descriptor.ts";
import type { Libc } from "./libc.ts";
import { allocate } from "./memory.ts";

/**
 * Errors of preadv2 that mean "not without waiting". The last two come from storage or kernels that
 * cannot read in this manner at all.
 */
const WOULD_WAIT: ReadonlySet<string> = new Set(["EAGAIN", "EOPNOTSUPP", "EINVAL"]);

/**
 * Reads that do not wait for storage. preadv2 wants the address of the memory that it fills, so the
 * bytes pass through memory outside of JavaScript.
 */
export class NonblockingReader implements Disposable {
  readonly #libc: Libc;
  readonly #address: bigint;
  readonly #iovec: BigUint64Array<ArrayBuffer>;

  /** @throws {SystemError} when the memory cannot be had */
  constructor(libc: Libc) {
    this.#libc = libc;
    this.#address = allocate(libc, NONBLOCKING_READ_BYTES_MAX, "staging memory");
    this.#iovec = BigUint64Array.of(this.#address, 0n);
  }

  /** As {@linkcode BackingFile.readNonblocking}. */
  read(
    file: Descriptor,
    into: Uint8Array<ArrayBuffer>,
    offset: bigint,
  ): number | undefined {
    const { symbols } = this.#libc;
    this.#iovec[1] = BigInt(Math.min(into.byteLength, NONBLOCKING_READ_BYTES_MAX));
    const read = Number(symbols.preadv2(file.number, this.#iovec, 1, offset, RWF_NOWAIT));
    if (read < 0) {
      const errno = this.#libc.errno();
      if (WOULD_WAIT.has(errno)) return undefined;
      throw new SystemError(errno, "preadv2", file.subject);
    }
    symbols.memcpy_to_js(into, this.#address, BigInt(read));
    return read;
  }

  [Symbol.dispose](): void {
    this.#libc.symbols.munmap(this.#address, BigInt(NONBLOCKING_READ_BYTES_MAX));
  }
}
