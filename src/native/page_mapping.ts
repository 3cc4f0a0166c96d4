import { Buffer } from "node:buffer";
import { Fault } from "../core/faults.ts";
import { PAGE_BYTES } from "../core/limits.ts";
import type { PageFile, PageWord } from "../core/ports/page_file.ts";
import { SystemError } from "../core/system_error.ts";
import * as linux from "./constants.ts";
import { type Descriptor, openPath } from "./descriptor.ts";
import type { Libc } from "./libc.ts";
import { storeFence } from "./store_fence.ts";

const BYTES = BigInt(PAGE_BYTES);
const WORD_BYTES = 8n;
const ZEROS = new Uint8Array(PAGE_BYTES);
/** Shared by all pages: what is read is compared before anything else runs. */
const scratch = new Uint8Array(PAGE_BYTES);

/**
 * A page that this process has mapped. Stores go through the mapping, because only a store of the
 * processor is seen whole: the kernel may copy what a program writes in parts. Reads go through the
 * descriptor, because touching a mapping of a file that somebody cut short ends the process.
 */
export class PageMapping implements PageFile {
  readonly #libc: Libc;
  readonly #file: Descriptor;
  readonly #address: bigint;
  readonly #fence: () => void;
  readonly #word = new BigUint64Array(1);

  /**
   * Opens and maps a page. A short file grows in place.
   *
   * @throws {SystemError}
   */
  constructor(libc: Libc, readonly path: string) {
    this.#libc = libc;
    this.#fence = storeFence(libc);
    const file = openPath(libc, path, linux.O_RDWR | linux.O_NOFOLLOW | linux.O_NONBLOCK);
    try {
      this.#file = file;
      this.#makeWhole();
      const protection = linux.PROT_READ | linux.PROT_WRITE;
      const { symbols } = libc;
      this.#address = libc.check(
        symbols.mmap(0n, BYTES, protection, linux.MAP_SHARED, file.number, 0n),
        "mmap",
        path,
      );
    } catch (error) {
      file[Symbol.dispose]();
      throw error;
    }
  }

  store(stores: readonly PageWord[]): void {
    try {
      this.#makeWhole();
    } catch (cause) {
      const { message } = cause as Error;
      throw new Fault("page-unusable", `Cannot store into ${this.path}: ${message}`, { cause });
    }
    for (const [offset, value] of stores) {
      this.#word[0] = value;
      // The C library copies 8 bytes as one store: nobody can see half of them.
      this.#libc.symbols.memcpy_from_js(
        this.#address + BigInt(offset),
        this.#word,
        WORD_BYTES,
      );
      this.#fence();
    }
  }

  bytes(): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(PAGE_BYTES);
    this.#read(bytes);
    return bytes;
  }

  shows(head: Uint8Array<ArrayBuffer>): boolean {
    if (this.#read(scratch) < PAGE_BYTES) return false;
    const length = head.byteLength;
    return Buffer.compare(scratch.subarray(0, length), head) === 0 &&
      Buffer.compare(scratch.subarray(length), ZEROS.subarray(length)) === 0;
  }

  close(): void {
    this.#libc.symbols.munmap(this.#address, BYTES);
    this.#file[Symbol.dispose]();
  }

  #read(into: Uint8Array<ArrayBuffer>): number {
    const { number, subject } = this.#file;
    const length = BigInt(into.byteLength);
    const read = this.#libc.symbols.pread(number, into, length, 0n);
    return Number(this.#libc.check(read, "pread", subject));
  }

  /**
   * Allocates the page's storage, which also makes a short file long enough. A store into a part of
   * a mapping that has no storage would end the process.
   */
  #makeWhole(): void {
    const { number, subject } = this.#file;
    const { symbols } = this.#libc;
    if (symbols.fallocate(number, 0, 0n, BYTES) === 0) return;
    const errno = this.#libc.errno();
    if (errno !== "EOPNOTSUPP") throw new SystemError(errno, "fallocate", subject);
    // A file system that cannot allocate does so when something is written, be it what is there.
    const first = new Uint8Array(Number(WORD_BYTES));
    this.#read(first);
    this.#libc.check(symbols.ftruncate(number, BYTES), "ftruncate", subject);
    this.#libc.check(symbols.pwrite(number, first, WORD_BYTES, 0n), "pwrite", subject);
  }
}
