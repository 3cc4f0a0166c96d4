/**
 * A group commit: one run of the task serves all callers that came before it began. Callers that
 * come during a run share the next one, because the current run may have begun too early for them.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { Coalesced } from "./coalesced.ts";
 *
 * let runs = 0;
 * const sync = new Coalesced(async () => {
 *   await Promise.resolve();
 *   runs++;
 * });
 * const first = sync.run();
 * await Promise.resolve();
 * await Promise.all([first, sync.run(), sync.run(), sync.run()]);
 * assertEquals(runs, 2);
 * ```
 */
export class Coalesced {
  readonly #task: () => Promise<void>;
  #current: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;

  constructor(task: () => Promise<void>) {
    this.#task = task;
  }

  /** Resolves, or rejects, with a run that began after this call. */
  run(): Promise<void> {
    this.#next ??= this.#current.then(() => {
      this.#next = undefined;
      const running = this.#task();
      this.#current = running.catch(() => {});
      return running;
    });
    return this.#next;
  }
}
