/** Calls of the host that a device waits for. */
export class UnderWay {
  readonly #calls = new Set<Promise<void>>();

  get count(): number {
    return this.#calls.size;
  }

  /** @param call A call that does not reject */
  add(call: Promise<void>): void {
    this.#calls.add(call);
    void call.finally(() => this.#calls.delete(call));
  }

  /** Resolves when no call is under way. */
  async none(): Promise<void> {
    while (this.#calls.size > 0) await Promise.all(this.#calls);
  }
}
