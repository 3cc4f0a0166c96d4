import { COPY_BUFFER_BYTES, COPY_BUFFERS_MAX, FILL_BYTES_MAX } from "../../core/limits.ts";

/** A fill of a few pages must not hold as much memory as the largest read-ahead. */
const SIZES = [FILL_BYTES_MAX, COPY_BUFFER_BYTES];

/**
 * Memory through which bytes pass between backing files and cache files. It is lent again and
 * again: fresh memory for each fill would grow by the size of a small cache before it is collected.
 */
export class CopyBuffers {
  readonly #free = new Map(SIZES.map((bytes) => [bytes, [] as Uint8Array<ArrayBuffer>[]]));

  /**
   * Lends memory of so many bytes until `use` ends. What is in it is left over from others.
   *
   * @param bytes At most `COPY_BUFFER_BYTES`
   * @param use Must not keep it
   * @throws {RangeError}
   */
  async lend<Result>(
    bytes: number,
    use: (buffer: Uint8Array<ArrayBuffer>) => Promise<Result>,
  ): Promise<Result> {
    const size = SIZES.find((size) => bytes <= size);
    if (size === undefined) throw new RangeError(`Cannot lend ${bytes} bytes`);
    const free = this.#free.get(size) ?? [];
    const buffer = free.pop() ?? new Uint8Array(size);
    try {
      return await use(buffer.subarray(0, bytes));
    } finally {
      if (free.length < COPY_BUFFERS_MAX) free.push(buffer);
    }
  }
}
