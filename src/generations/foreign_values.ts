import { FOREIGN_VALUES_MAX, U32_MAX } from "../core/limits.ts";
import type { Bump } from "./bump.ts";

/**
 * The numbers that somebody else has put into the pages of a scope. A program may have taken one of
 * them for the current generation, and would not notice a bump that uses it.
 */
export class ForeignValues {
  readonly #generations = new Set<number>();
  readonly #epochs = new Set<bigint>();

  /** @param value A generation as a number, an epoch as a bigint */
  remember(value: number | bigint | undefined): void {
    if (typeof value === "number") addBounded(this.#generations, value);
    if (typeof value === "bigint") addBounded(this.#epochs, value);
  }

  /** The next values that are none of these. */
  past({ generation, epoch }: Pick<Bump, "generation" | "epoch">): Pick<
    Bump,
    "generation" | "epoch"
  > {
    while (this.#generations.has(generation)) {
      generation = generation === U32_MAX ? 0 : generation + 1;
    }
    while (this.#epochs.has(epoch)) epoch++;
    return { generation, epoch };
  }
}

function addBounded<Value>(values: Set<Value>, value: Value): void {
  values.delete(value);
  values.add(value);
  if (values.size <= FOREIGN_VALUES_MAX) return;
  for (const oldest of values) {
    values.delete(oldest);
    return;
  }
}
