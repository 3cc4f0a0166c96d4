import { THREAD_WAITERS_MAX } from "../core/limits.ts";
import { SystemError } from "../core/system_error.ts";

/**
 * A share of the threads on which calls wait for storage. The runtime has only so many for all: a
 * storage that never answers would else take every one, and nobody could write any more
 * (docs/inodes.md#stuck).
 */
export class ThreadShare {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  /** @param threads How many calls may be under way at once */
  constructor(threads: number) {
    this.#free = threads;
  }

  /**
   * Makes a call when a thread of the share is free.
   *
   * @param subject What it is made on
   * @throws {SystemError} EAGAIN when too many wait already
   */
  async run<Result>(call: () => Promise<Result>, subject: string): Promise<Result> {
    await this.#enter(subject);
    try {
      return await call();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }

  #enter(subject: string): Promise<void> | undefined {
    if (this.#free > 0) {
      this.#free--;
      return undefined;
    }
    if (this.#waiting.length >= THREAD_WAITERS_MAX) {
      throw new SystemError("EAGAIN", "wait for storage", subject);
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
