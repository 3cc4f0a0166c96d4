import { WRITE_BACK_DELAY_MS, WRITE_BACK_DELAY_MS_MAX } from "../../core/limits.ts";
import type { Clock } from "../../core/ports/clock.ts";

/**
 * Writes dirt back some time after it was made, whether or not anybody asks for it. While that
 * fails, or leaves pages that others may change unseen, it is tried again less and less often.
 */
export class WriteBackTimer {
  readonly #clock: Clock;
  readonly #writeBack: () => Promise<boolean>;
  #cancel: (() => void) | undefined;
  #delayMs = WRITE_BACK_DELAY_MS;
  #isRunning = false;
  /** Whether there was dirt while a write-back ran, which may have begun too early for it. */
  #isAsked = false;
  #isStopped = false;

  /** @param writeBack Returns whether there is still dirt */
  constructor(clock: Clock, writeBack: () => Promise<boolean>) {
    this.#clock = clock;
    this.#writeBack = writeBack;
  }

  /** Says that there is dirt. */
  start(): void {
    this.#isAsked = true;
    if (this.#cancel !== undefined || this.#isRunning || this.#isStopped) return;
    this.#cancel = this.#clock.after(this.#delayMs, () => void this.#run());
  }

  /** No write-back begins after this. */
  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  async #run(): Promise<void> {
    this.#cancel = undefined;
    this.#isRunning = true;
    this.#isAsked = false;
    // A failure is kept by whoever writes back, for the next sync to tell.
    const isLeft = await this.#writeBack().catch(() => true);
    this.#isRunning = false;
    this.#delayMs = isLeft
      ? Math.min(2 * this.#delayMs, WRITE_BACK_DELAY_MS_MAX)
      : WRITE_BACK_DELAY_MS;
    if (isLeft || this.#isAsked) this.start();
  }
}
