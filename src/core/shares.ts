/** Who takes of something that there is only so much of. */
export interface Taker {
  readonly name: string;
  /** May do everything: the last part is kept for such callers. */
  readonly isAdmin: boolean;
}

/** The part that is kept for admins, as a divisor. */
const ADMIN_DIVISOR = 8;
/** The part of the rest that one caller may have, as a divisor. */
const ONE_DIVISOR = 2;

/**
 * Shares of something that many callers take of. No caller can take all: half of what is not kept
 * for admins is the most that one of the others may have (docs/bounds.md#shares).
 */
export class Shares {
  readonly max: number;
  readonly #ofOne = new Map<string, number>();
  #taken = 0;

  constructor(max: number) {
    this.max = max;
  }

  get taken(): number {
    return this.#taken;
  }

  /** How much one has taken. */
  of(name: string): number {
    return this.#ofOne.get(name) ?? 0;
  }

  /** The one that has taken most. */
  get largest(): string | undefined {
    let largest: string | undefined;
    for (const name of this.#ofOne.keys()) {
      if (largest === undefined || this.of(name) > this.of(largest)) largest = name;
    }
    return largest;
  }

  /** Why one cannot take another; nothing when it can. */
  refusal({ name, isAdmin }: Taker): string | undefined {
    if (this.#taken >= this.max) return `all ${this.max} are taken`;
    if (isAdmin) return undefined;
    const forOthers = this.max - Math.ceil(this.max / ADMIN_DIVISOR);
    if (this.#taken >= forOthers) return `the last ${this.max - forOthers} are kept for admins`;
    const most = Math.ceil(forOthers / ONE_DIVISOR);
    return this.of(name) < most
      ? undefined
      : `${name} has taken ${this.of(name)}, and ${most} of ${this.max} is the most for one caller`;
  }

  /** Takes some, whatever there is. */
  take(name: string, count = 1): void {
    this.#taken += count;
    this.#ofOne.set(name, this.of(name) + count);
  }

  /** Gives some back. */
  give(name: string, count = 1): void {
    this.#taken -= count;
    const left = this.of(name) - count;
    if (left > 0) this.#ofOne.set(name, left);
    else this.#ofOne.delete(name);
  }
}
