import type { Random } from "../../src/core/ports/random.ts";

/** A seeded source of bytes (xorshift32): the same seed gives the same bytes. */
export class SeededRandom implements Random {
  #state: number;

  constructor(seed: number) {
    this.#state = (seed >>> 0) || 1;
  }

  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.below(256));
  }

  /** A whole number from 0 up to, not including, `bound`. */
  below(bound: number): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return this.#state % bound;
  }

  /** One of the items. */
  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item;
  }
}

/**
 * The seed of this run: `INNKEEPER_TEST_SEED` to replay, else a fresh one. Print it in the
 * message of what fails.
 */
export function testSeed(): number {
  const given = Deno.env.get("INNKEEPER_TEST_SEED");
  return given === undefined ? Math.floor(Math.random() * 0xffff_ffff) : Number(given);
}
