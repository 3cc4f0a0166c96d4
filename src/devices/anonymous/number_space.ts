/**
 * The numbers from 1 to `max` that a device hands out in ascending order. A number that was given
 * back is handed out again only when the space is used up.
 *
 * The owner knows which numbers are in use, and passes that as `isUsed`.
 */
export class NumberSpace {
  readonly max: bigint;
  #last: bigint;
  /** Once `last` has reached `max`, no number below this one is free. */
  #lowest = 1n;
  /** Numbers that were given back before `last` came to them. */
  readonly #retired: Set<bigint>;

  /**
   * @param last The highest number handed out so far. Numbers that the owner took may be above it
   * @param retired Numbers above `last` that were taken and given back
   */
  constructor(max: bigint, last = 0n, retired: Iterable<bigint> = []) {
    this.max = max;
    this.#last = last;
    this.#retired = new Set(retired);
  }

  get last(): bigint {
    return this.#last;
  }

  /** Numbers above `last` that were given back and must be remembered. */
  get retired(): ReadonlySet<bigint> {
    return this.#retired;
  }

  isRetired(number: bigint): boolean {
    return this.#retired.size > 0 && this.#retired.has(number);
  }

  /** Begins to choose numbers. None of them is handed out until {@linkcode accept}. */
  draw(isUsed: (number: bigint) => boolean): Draw {
    return new Draw(this, this.#lowest, isUsed);
  }

  /** Hands out what a draw has chosen. No other change may come between draw and accept. */
  accept(draw: Draw): void {
    this.#last = draw.last;
    this.#lowest = draw.lowest;
    for (const number of draw.passed) this.#retired.delete(number);
  }

  /**
   * Marks a number that a draw has found in use, so that later draws do not probe it again, even if
   * this draw is given up. The floor moves only when every lower number is in use, because numbers
   * that this draw has chosen become free again when it is given up.
   */
  skip(number: bigint): void {
    if (number === this.#lowest && !this.isAhead(number)) this.#lowest += 1n;
  }

  /** The owner takes a number of its own choice. */
  take(number: bigint): void {
    this.#retired.delete(number);
  }

  /** Whether `last` will still come to this number, so that giving it back must be remembered. */
  isAhead(number: bigint): boolean {
    return number > this.#last;
  }

  /** The owner gives this number back. */
  giveBack(number: bigint): void {
    if (this.isAhead(number)) this.#retired.add(number);
    else if (number < this.#lowest) this.#lowest = number;
  }
}

/** Numbers that are chosen and not yet handed out. */
export class Draw {
  /** The value for {@linkcode NumberSpace.last}. */
  last: bigint;
  /** The next number to be tried for reuse. */
  lowest: bigint;
  /** Retired numbers that `last` has stepped over. They need not be remembered any longer. */
  readonly passed = new Set<bigint>();
  readonly #space: NumberSpace;
  readonly #isUsed: (number: bigint) => boolean;

  constructor(space: NumberSpace, lowest: bigint, isUsed: (number: bigint) => boolean) {
    this.#space = space;
    this.#isUsed = isUsed;
    this.last = space.last;
    this.lowest = lowest;
  }

  /** The next number, `undefined` when all are in use. */
  next(): bigint | undefined {
    while (this.last < this.#space.max) {
      this.last += 1n;
      if (this.#space.isRetired(this.last)) this.passed.add(this.last);
      else if (!this.#isUsed(this.last)) return this.last;
    }
    while (this.lowest <= this.#space.max) {
      const number = this.lowest;
      this.lowest += 1n;
      if (this.#isReusable(number)) return number;
      this.#space.skip(number);
    }
    return undefined;
  }

  /** Above the space's own `last`, this draw has chosen every number but used and passed ones. */
  #isReusable(number: bigint): boolean {
    return number <= this.#space.last ? !this.#isUsed(number) : this.passed.has(number);
  }
}
