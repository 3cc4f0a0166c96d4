/**
 * The time of a PC, in milliseconds. It stands still while the PC does not run, and a clone
 * continues at the time of its snapshot. All timers and the time stamp counter are read from it, so
 * that a guest notices no gap and its timers fire when they are due.
 */
export class GuestTime {
  readonly #realMs: () => number;
  #ms: number;
  #since: number | undefined;

  /** @param ms The time at which it begins */
  constructor(realMs: () => number, ms = 0) {
    this.#realMs = realMs;
    this.#ms = ms;
  }

  /** The time that the guest sees. */
  readonly now = (): number => {
    return this.#since === undefined ? this.#ms : this.#ms + this.#realMs() - this.#since;
  };

  start(): void {
    this.#since ??= this.#realMs();
  }

  stop(): void {
    this.#ms = this.now();
    this.#since = undefined;
  }
}
