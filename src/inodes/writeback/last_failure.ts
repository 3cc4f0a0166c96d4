import { Fault } from "../../core/faults.ts";
import type { Counters } from "../cache/counters.ts";

/** Why the last write-back or sync failed, shown until one succeeds (docs/inodes.md#4). */
export class LastFailure {
  readonly #counters: Counters;
  readonly #onNew: (fault: Fault) => void;
  #fault: Fault | undefined;

  /** @param onNew Called for a failure of another kind than the one before */
  constructor(counters: Counters, onNew: (fault: Fault) => void) {
    this.#counters = counters;
    this.#onNew = onNew;
  }

  get fault(): Fault | undefined {
    return this.#fault;
  }

  /** Counts a failure and remembers its fault. */
  note(error: unknown): void {
    this.#counters.count("errors");
    if (!(error instanceof Fault)) return;
    if (this.#fault?.code !== error.code) this.#onNew(error);
    this.#fault = error;
  }

  /** Forgets it: a write-back or sync succeeded, or nobody wants its bytes any more. */
  clear(): void {
    this.#fault = undefined;
  }
}
