/**
 * Runs tasks one after the other, in the order in which they came. The next one also runs after a
 * task that failed.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Serial } from "./serial.ts";
 *
 * const serial = new Serial();
 * const order: number[] = [];
 * await Promise.all([serial.run(() => order.push(1)), serial.run(() => order.push(2))]);
 * assertEquals(order, [1, 2]);
 * ```
 */
export class Serial {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs `task` after all earlier ones. Resolves or rejects as the task does. */
  run<Result>(task: () => Result | Promise<Result>): Promise<Result> {
    const mine = this.#last.then(task);
    this.#last = mine.catch(() => {});
    return mine;
  }
}
