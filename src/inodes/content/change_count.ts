/** Counts the changes of a content, so that bytes read between two looks can be told apart. */
export class ChangeCount {
  #begun = 0;
  #ended = 0;

  /** A number that no other state of the content has; `undefined` while a change is under way. */
  get current(): number | undefined {
    return this.#begun === this.#ended ? this.#ended : undefined;
  }

  /** Notes a change that is made at once. */
  add(): void {
    this.#begun++;
    this.#ended++;
  }

  /** Notes a change that takes its time, whether or not it succeeds. */
  async during(change: () => Promise<void>): Promise<void> {
    this.#begun++;
    try {
      await change();
    } finally {
      this.#ended++;
    }
  }
}
