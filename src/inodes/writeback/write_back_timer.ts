import { WRITE_BACK_DELAY_MS, WRITE_BACK_DELAY_MS_MAX } from "../../core/limits.ts";
import type { Clock } from "../../core/ports/clock.ts";

/**
 * Writes dirty bytes back some time after they came, whether or not anybody asks for it. While that
 * fails, or leaves pinned pages, the delay doubles up to a limit.
 */
export class WriteBackTimer {
  readonly #clock: Clock;
  readonly #writeBack: () => Promise<boolean>;
  #cancel: (() => void) | undefined;
  #delayMs = WRITE_BACK_DELAY_MS;
  #isRunning = false;
  /** Whether bytes became dirty during a write-back, which may have begun too early for them. */
  #isRequested = false;
  #isStopped = false;

  /** @param writeBack Returns whether bytes are still dirty */
  constructor(clock: Clock, writeBack: () => Promise<boolean>) {
    this.#clock = clock;
    this.#writeBack = writeBack;
  }

  /** Notes that bytes are dirty. */
  start(): void {
    this.#isRequested = true;
    if (this.#cancel !== undefined || this.#isRunning || this.#isStopped) return;
    this.#cancel = this.#clock.after(this.#delayMs, () => void this.#run());
  }

  /** Lets no further write-back begin. */
  stop(): void {
    this.#isStopped = true;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  async #run(): Promise<void> {
    this.#cancel = undefined;
    this.#isRunning = true;
    this.#isRequested = false;
    // The write-back itself remembers its failure, for the next sync to report.
    const isLeft = await this.#writeBack().catch(() => true);
    this.#isRunning = false;
    this.#delayMs = isLeft
      ? Math.min(2 * this.#delayMs, WRITE_BACK_DELAY_MS_MAX)
      : WRITE_BACK_DELAY_MS;
    if (isLeft || this.#isRequested) this.start();
  }
}
