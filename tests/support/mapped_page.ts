import { cString, Libc } from "../../src/native/libc.ts";

const O_RDONLY = 0;
const PROT_READ = 1;
const MAP_SHARED = 1;
const WORD_BYTES = 4n;

/**
 * A page as a program like AWS-LC sees it: opened read-only, 4 bytes mapped shared, the file
 * descriptor closed at once. It reads memory and never asks the daemon.
 */
export class MappedPage implements Disposable {
  readonly #libc = Libc.open();
  readonly #address: bigint;
  readonly #word = new Uint32Array(1);

  constructor(path: string) {
    const { symbols } = this.#libc;
    const fd = this.#libc.check(symbols.open(cString(path), O_RDONLY, 0), "open", path);
    this.#address = this.#libc.check(
      symbols.mmap(0n, WORD_BYTES, PROT_READ, MAP_SHARED, fd, 0n),
      "mmap",
      path,
    );
    symbols.close(fd);
  }

  get generation(): number {
    this.#libc.symbols.memcpy_to_js(this.#word, this.#address, WORD_BYTES);
    return this.#word[0] as number;
  }

  [Symbol.dispose](): void {
    this.#libc.symbols.munmap(this.#address, WORD_BYTES);
    this.#libc[Symbol.dispose]();
  }
}
