/** How many sequential readers of one file are remembered. */
const STREAMS = 8;

/**
 * How much one fill reads. A reader that jumps about gets the smallest window. One that goes on
 * where its last fill ended gets twice as much each time. Several readers of one file do not
 * disturb each other.
 */
export class ReadAhead {
  readonly #least: number;
  readonly #most: number;
  /** The last window of each reader by its end, in the order of their last use. */
  readonly #windows = new Map<bigint, number>();

  /**
   * @param least Bytes of the first window
   * @param most Bytes of the largest window
   */
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
