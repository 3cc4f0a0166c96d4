/**
 * The time of a PC, in milliseconds: it stands still while the PC does not run, and goes on from
 * a snapshot where it was. Timers and the time stamp counter are all taken from it, so that a
 * guest finds no gap and its timers fire when they are due.
 */
export class GuestTime {
  readonly #realMs: () => number;
  #ms: number;
  #since: number | undefined;

  /** @param ms What it begins with */
  constructor(realMs: () => number, ms = 0) {
    this.#realMs = realMs;
    this.#ms = ms;
  }

  /** What time it is for the guest. */
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
