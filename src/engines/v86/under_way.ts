/** Calls of the host that a device waits for. */
export class UnderWay {
  readonly #ends = new Set<Promise<void>>();
  #count = 0;

  /** Calls that the host has not answered yet. */
  get count(): number {
    return this.#count;
  }

  /**
   * Hands the answer of a call to its device. The call counts as answered before the device hears
   * of it: the guest may run in the very next microtask, and its next command would be swallowed.
   *
   * @param failed What to do with an error; without it the call must not reject
   */
  add<Result>(
    call: Promise<Result>,
    answer: (result: Result) => void,
    failed?: (error: unknown) => void,
  ): void {
    this.#count++;
    const end = call.finally(() => this.#count--).then(answer, failed);
    this.#ends.add(end);
    void end.finally(() => this.#ends.delete(end));
  }

  /** Resolves when every device has its answer. */
  async none(): Promise<void> {
    while (this.#ends.size > 0) await Promise.all(this.#ends);
  }
}
