import type { Clock } from "../core/ports/clock.ts";

/**
 * How long a guest outlives the last sign of its owner, in place of the launcher's open file
 * (seed 003, close()). It does not run out while a request of the owner is in progress.
 */
export class Lease {
  readonly #clock: Clock;
  readonly #onOut: () => void;
  #holds = 0;
  #cancel: () => void = () => {};

  /**
   * @param leaseMs Milliseconds
   * @param onOut Called once, when it has run out
   */
  constructor(clock: Clock, readonly leaseMs: number, onOut: () => void) {
    this.#clock = clock;
    this.#onOut = onOut;
    this.#begin();
  }

  /** Stops it from running out until the returned function is called; then it begins anew. */
  hold(): () => void {
    this.#cancel();
    this.#holds++;
    return () => {
      if (--this.#holds === 0) this.#begin();
    };
  }

  /** It never runs out after this. */
  end(): void {
    this.#holds = Infinity;
    this.#cancel();
  }

  #begin(): void {
    this.#cancel = this.#clock.after(this.leaseMs, this.#onOut);
  }
}
