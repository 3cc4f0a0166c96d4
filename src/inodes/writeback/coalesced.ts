/**
 * A task of which one run serves all who asked before it began: a group commit. Whoever asks
 * while a run is under way shares the next one, since that run may have begun too early for them.
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
