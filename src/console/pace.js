/**
 * Runs a task now and then, never twice at a time: asked for while it runs or rests, it runs once
 * more afterwards. So a burst of changes costs one or two requests.
 */
export class Pace {
  /** @type {number | undefined} */
  #timer;
  #isRunning = false;
  #isAsked = false;
  #isStopped = false;

  /**
   * @param {number} restMs Between the end of one run and the start of the next
   * @param {() => Promise<void>} task It must not reject
   */
  constructor(restMs, task) {
    this.restMs = restMs;
    this.task = task;
  }

  /** Runs the task, soon. */
  ask() {
    this.#isAsked = true;
    if (!this.#isRunning && this.#timer === undefined) void this.#run();
  }

  /** Runs nothing more. */
  stop() {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  async #run() {
    this.#timer = undefined;
    if (!this.#isAsked || this.#isStopped) return;
    this.#isAsked = false;
    this.#isRunning = true;
    await this.task();
    this.#isRunning = false;
    if (!this.#isStopped) this.#timer = setTimeout(() => this.#run(), this.restMs);
  }
}
