/**
 * The numbers from 1 to `max` that a device hands out in ascending order. A number that was given
 * back is handed out again only when the space is used up.
 *
 * Who uses which number is kept by the owner, which passes it as `isUsed`.
 */
export class NumberSpace {
  readonly max: bigint;
  #last: bigint;
  /** No number below this one is free, once `last` has reached `max`. */
  #lowest = 1n;
  /** Given back before `last` came to them. */
  readonly #retired: Set<bigint>;

  /**
   * @param last The highest number handed out so far; those that the owner took by name may be above
   * @param retired Numbers above `last` that were taken by name and given back
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

  /** Begins to choose numbers. None is taken until {@linkcode accept}. */
  draw(isUsed: (number: bigint) => boolean): Draw {
    return new Draw(this, this.#lowest, isUsed);
  }

  /** Makes what a draw has chosen final. No other change may lie between the two. */
  accept(draw: Draw): void {
    this.#last = draw.last;
    this.#lowest = draw.lowest;
    for (const number of draw.passed) this.#retired.delete(number);
  }

  /**
   * A draw has found this number in use: no later one looks at it, though the draw be given up. What
   * it has handed out before holds this back, as that stays free then.
   */
  skip(number: bigint): void {
    if (number === this.#lowest && !this.isAhead(number)) this.#lowest += 1n;
  }

  /** The owner takes this very number. */
  take(number: bigint): void {
    this.#retired.delete(number);
  }

  /** Whether a number given back now has to be remembered, because `last` will still come to it. */
  isAhead(number: bigint): boolean {
    return number > this.#last;
  }

  /** The owner gives this number back. */
  giveBack(number: bigint): void {
    if (this.isAhead(number)) this.#retired.add(number);
    else if (number < this.#lowest) this.#lowest = number;
  }
}

/** Numbers chosen and not yet taken. */
export class Draw {
  /** What {@linkcode NumberSpace.last} becomes. */
  last: bigint;
  /** Where the search for numbers to use again stands. */
  lowest: bigint;
  /** Retired numbers that `last` has stepped over: they need no longer be remembered. */
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

  /** Above the space's own `last` this draw has handed out all that was neither used nor passed. */
  #isReusable(number: bigint): boolean {
    return number <= this.#space.last ? !this.#isUsed(number) : this.passed.has(number);
  }
}
