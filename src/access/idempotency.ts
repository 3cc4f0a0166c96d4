import { Fault } from "../core/faults.ts";
import { REPLAY_BYTES_MAX, REPLAY_KEYS_MAX, REPLAY_MS } from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";

/** How much is remembered. */
export interface ReplayBounds {
  readonly keysMax: number;
  /** Answers of all keys together. */
  readonly bytesMax: number;
}

interface Replay<Answer> {
  /** What was asked, to tell a repetition from another use of the same key. */
  readonly request: string;
  readonly startedMs: number;
  /** `undefined` once it has made room for later ones. */
  answer: Promise<Answer> | undefined;
  /** What the answer takes, once it is there. */
  bytes: number;
}

/**
 * Answers to requests that carried an Idempotency-Key: whoever sends the same again, also while
 * the first is still running, gets the same answer and nothing happens twice. Memory for answers is
 * bounded: the oldest go first, and their keys stay, so that a repetition is refused and not
 * carried out again. Where no key has room a new one is refused before anything happens.
 */
export class Replays<Answer> {
  readonly #clock: Clock;
  readonly #bounds: ReplayBounds;
  /** By their keys, in the order in which they began. */
  readonly #replays = new Map<string, Replay<Answer>>();
  /** Those whose answers are kept, in the order in which these came. */
  readonly #answered = new Set<Replay<Answer>>();
  #bytes = 0;

  constructor(
    clock: Clock,
    bounds: ReplayBounds = { keysMax: REPLAY_KEYS_MAX, bytesMax: REPLAY_BYTES_MAX },
  ) {
    this.#clock = clock;
    this.#bounds = bounds;
  }

  /**
   * Runs a request, or gives the answer of the first one with this key.
   *
   * @param key The client's key, made its own by who it is and what it calls
   * @param request What is asked, in full
   * @param run Carries it out; if it throws, the key is free again
   * @param bytesOf How many bytes it takes to keep an answer; `undefined` for one that is not to be
   * kept and leaves the key free
   * @throws {Fault} `key-reused` when the key came with another request before, `answer-not-kept`
   * when the request was carried out and its answer had to make room, `keys-exhausted`
   */
  async once(
    key: string,
    request: string,
    run: () => Promise<Answer>,
    bytesOf: (answer: Answer) => number | undefined = () => 0,
  ): Promise<Answer> {
    this.#forgetOld();
    const known = this.#replays.get(key);
    if (known !== undefined) return await answerOf(known, request);
    this.#requireRoom();
    const answer = run();
    const replay = { request, answer, startedMs: this.#clock.monotonicMs(), bytes: 0 };
    this.#replays.set(key, replay);
    const bytes = await answer.then(bytesOf, () => undefined);
    if (this.#replays.get(key) === replay) {
      if (bytes === undefined) this.#replays.delete(key);
      else this.#keep(replay, bytes);
    }
    return await answer;
  }

  #keep(replay: Replay<Answer>, bytes: number): void {
    replay.bytes = bytes;
    this.#bytes += bytes;
    this.#answered.add(replay);
    for (const oldest of this.#answered) {
      if (this.#bytes <= this.#bounds.bytesMax) return;
      this.#letGo(oldest);
    }
  }

  #letGo(replay: Replay<Answer>): void {
    replay.answer = undefined;
    if (this.#answered.delete(replay)) this.#bytes -= replay.bytes;
  }

  #forgetOld(): void {
    const oldestMs = this.#clock.monotonicMs() - REPLAY_MS;
    for (const [key, replay] of this.#replays) {
      if (replay.startedMs > oldestMs) return;
      this.#letGo(replay);
      this.#replays.delete(key);
    }
  }

  #requireRoom(): void {
    const [oldest] = this.#replays.values();
    if (oldest === undefined || this.#replays.size < this.#bounds.keysMax) return;
    const waitMs = oldest.startedMs + REPLAY_MS - this.#clock.monotonicMs();
    throw new Fault(
      "keys-exhausted",
      `Cannot remember another Idempotency-Key: ${this.#replays.size} came within ` +
        `${REPLAY_MS / 60_000} minutes: try later, or send the request without one`,
      { retryAfterSeconds: Math.ceil(waitMs / 1000) },
    );
  }
}

async function answerOf<Answer>(known: Replay<Answer>, request: string): Promise<Answer> {
  if (known.request !== request) {
    throw new Fault(
      "key-reused",
      "Cannot use this Idempotency-Key again: it came with another request before",
    );
  }
  if (known.answer !== undefined) return await known.answer;
  throw new Fault(
    "answer-not-kept",
    "Cannot answer this Idempotency-Key again: its request was carried out, and the answer had to " +
      "make room for later ones: look at what there is now",
  );
}
