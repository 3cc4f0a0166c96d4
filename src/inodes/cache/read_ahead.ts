/** Readers that go on where they stopped, of which the place is remembered. */
const STREAMS = 8;

/**
 * How much one fill reads: little for a reader that jumps about, twice as much as before each time
 * that one goes on where its last fill ended. Several readers of one file do not disturb each
 * other.
 */
export class ReadAhead {
  readonly #least: number;
  readonly #most: number;
  /** The last window of each reader, by where it ended; the oldest first. */
  readonly #windows = new Map<bigint, number>();

  /** @param least Bytes of the first window, and those of the largest one, `most` */
  constructor(least: number, most: number) {
    this.#least = least;
    this.#most = most;
  }

  /** The bytes that a fill should read which begins at an offset. */
  windowAt(offset: bigint): number {
    const before = this.#windows.get(offset);
    if (before === undefined) return this.#least;
    this.#windows.delete(offset);
    return Math.min(2 * before, this.#most);
  }

  /** Remembers where a fill ends. */
  expect(end: bigint, bytes: number): void {
    this.#windows.set(end, bytes);
    const [oldest] = this.#windows.keys();
    if (this.#windows.size > STREAMS && oldest !== undefined) this.#windows.delete(oldest);
  }
}
