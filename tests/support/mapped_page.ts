import { MAP_SHARED, O_RDONLY, PROT_READ } from "../../src/native/constants.ts";
import { openPath } from "../../src/native/descriptor.ts";
import { Libc } from "../../src/native/libc.ts";

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
    using file = openPath(this.#libc, path, O_RDONLY);
    this.#address = this.#libc.check(
      symbols.mmap(0n, WORD_BYTES, PROT_READ, MAP_SHARED, file.number, 0n),
      "mmap",
      path,
    );
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
