/**
 * Runs a task on request, never twice at a time. Requests that come while it runs or rests make it
 * run once more afterwards, so a burst of changes costs one or two requests to the daemon.
 */
export class Pace {
  /** @type {number | undefined} */
  #timer;
  #isRunning = false;
  #isRequested = false;
  #isStopped = false;

  /**
   * @param {number} restMs From the end of one run to the start of the next
   * @param {() => Promise<void>} task It must not reject
   */
  constructor(restMs, task) {
    this.restMs = restMs;
    this.task = task;
  }

  /** Runs the task, soon. */
  request() {
    this.#isRequested = true;
    if (!this.#isRunning && this.#timer === undefined) void this.#run();
  }

  /** Runs nothing more. */
  stop() {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  async #run() {
    this.#timer = undefined;
    if (!this.#isRequested || this.#isStopped) return;
    this.#isRequested = false;
    this.#isRunning = true;
    await this.task();
    this.#isRunning = false;
    if (!this.#isStopped) this.#timer = setTimeout(() => this.#run(), this.restMs);
  }
}
