import { COPY_BUFFER_BYTES, COPY_BUFFERS_MAX, FILL_BYTES_MAX } from "../../core/limits.ts";

/** Two sizes, so that a fill of a few pages does not hold as much as the largest read-ahead. */
const SIZES = [FILL_BYTES_MAX, COPY_BUFFER_BYTES];

/**
 * Memory through which bytes pass between backing files and cache files. It is reused, because
 * fresh memory for each fill would add up to a small cache before it is collected.
 */
export class CopyBuffers {
  readonly #free = new Map(SIZES.map((bytes) => [bytes, [] as Uint8Array<ArrayBuffer>[]]));

  /**
   * Lends memory of so many bytes until `use` ends. It holds what earlier users left in it.
   *
   * @param bytes At most `COPY_BUFFER_BYTES`
   * @param use Must not use the memory after it ends
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
