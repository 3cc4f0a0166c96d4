import { Fault } from "../core/faults.ts";
import { REPLAY_MS, REPLAYS_MAX } from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";

interface Replay<Answer> {
  /** What was asked, to tell a repetition from another use of the same key. */
  readonly request: string;
  readonly answer: Promise<Answer>;
  readonly startedMs: number;
}

/**
 * Answers to requests that carried an Idempotency-Key: whoever sends the same again, also while
 * the first is still running, gets the same answer and nothing happens twice.
 */
export class Replays<Answer> {
  readonly #clock: Clock;
  /** In the order in which they began. */
  readonly #replays = new Map<string, Replay<Answer>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Runs a request, or gives the answer of the first one with this key.
   *
   * @param key The client's key, made its own by who it is and what it calls
   * @param request What is asked, in full
   * @param run Carries it out; if it throws, the key is free again
   * @param isFinal Whether an answer is to be kept; one that is not leaves the key free
   * @throws {Fault} `key-reused` when the key came with another request before
   */
  async once(
    key: string,
    request: string,
    run: () => Promise<Answer>,
    isFinal: (answer: Answer) => boolean = () => true,
  ): Promise<Answer> {
    this.#dropOld();
    const known = this.#replays.get(key);
    if (known !== undefined) {
      if (known.request === request) return await known.answer;
      throw new Fault(
        "key-reused",
        "Cannot use this Idempotency-Key again: it came with another request before",
      );
    }
    const answer = run();
    this.#replays.set(key, { request, answer, startedMs: this.#clock.monotonicMs() });
    const isKept = await answer.then(isFinal, () => false);
    if (!isKept) this.#replays.delete(key);
    return await answer;
  }

  #dropOld(): void {
    const oldestMs = this.#clock.monotonicMs() - REPLAY_MS;
    for (const [key, { startedMs }] of this.#replays) {
      if (startedMs > oldestMs && this.#replays.size < REPLAYS_MAX) return;
      this.#replays.delete(key);
    }
  }
}
