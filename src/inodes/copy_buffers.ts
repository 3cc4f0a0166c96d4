import { COPY_BUFFER_BYTES, COPY_BUFFERS_MAX } from "../core/limits.ts";

/**
 * Memory through which bytes pass between backing files and cache files. It is lent again and
 * again: fresh memory for each fill would grow by the size of a small cache before it is collected.
 */
export class CopyBuffers {
  readonly #free: Uint8Array<ArrayBuffer>[] = [];

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
    if (bytes > COPY_BUFFER_BYTES) throw new RangeError(`Cannot lend ${bytes} bytes`);
    const buffer = this.#free.pop() ?? new Uint8Array(COPY_BUFFER_BYTES);
    try {
      return await use(buffer.subarray(0, bytes));
    } finally {
      if (this.#free.length < COPY_BUFFERS_MAX) this.#free.push(buffer);
    }
  }
}
