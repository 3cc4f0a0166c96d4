import { Fault } from "../core/faults.ts";
import { IDEMPOTENCY_BYTES_MAX, IDEMPOTENCY_KEYS_MAX, IDEMPOTENCY_MS } from "../core/limits.ts";
import { Shares, type Taker } from "../core/shares.ts";
import type { Clock } from "../core/ports/clock.ts";

/** A caller that is like no other, where there is only one. */
const NOBODY: Taker = { name: "", isAdmin: true };

/** How many keys and answers are remembered. */
export interface AnswerBounds {
  readonly keysMax: number;
  /** The size of all stored answers together. */
  readonly bytesMax: number;
}

/** A request that carried a key, and its answer. */
interface Entry<Answer> {
  /** The whole request, to tell a repetition from another use of the same key. */
  readonly request: string;
  readonly startedMs: number;
  /** The name of the caller. */
  readonly caller: string;
  /** `undefined` once it was dropped to make room for later answers. */
  answer: Promise<Answer> | undefined;
  /** The size of the answer; 0 until it is there. */
  bytes: number;
}

/**
 * Answers to requests that carried an Idempotency-Key. A repetition, also one that comes while the
 * first request still runs, gets the first answer, and nothing is done twice.
 *
 * Memory is bounded. When answers need more than their share, the oldest answer is dropped and its
 * key stays, so that a repetition is refused instead of carried out again. When there are too many
 * keys, a request with a new one is refused before anything is done.
 */
export class IdempotentAnswers<Answer> {
  readonly #clock: Clock;
  /** By key, oldest request first. */
  readonly #entries = new Map<string, Entry<Answer>>();
  /** Entries that hold an answer, oldest answer first. */
  readonly #answered = new Set<Entry<Answer>>();
  readonly #keyShares: Shares;
  readonly #byteShares: Shares;

  constructor(
    clock: Clock,
    bounds: AnswerBounds = { keysMax: IDEMPOTENCY_KEYS_MAX, bytesMax: IDEMPOTENCY_BYTES_MAX },
  ) {
    this.#clock = clock;
    this.#keyShares = new Shares(bounds.keysMax);
    this.#byteShares = new Shares(bounds.bytesMax);
  }

  /**
   * Carries a request out, or returns the answer of the first request with this key.
   *
   * @param key The client's key, together with who the client is and which path it calls
   * @param request The whole request
   * @param run Carries the request out; if it throws, the key is free again
   * @param bytesOf The size of an answer in bytes; `undefined` for one that is not to be stored,
   * which leaves the key free
   * @param caller Whose share of the keys it takes of
   * @throws {Fault} `key-reused` when the key came with another request before, `answer-not-kept`
   * when the request was carried out and its answer was dropped since, `keys-exhausted`
   */
  async once(
    key: string,
    request: string,
    run: () => Promise<Answer>,
    bytesOf: (answer: Answer) => number | undefined = () => 0,
    caller: Taker = NOBODY,
  ): Promise<Answer> {
    this.#forgetOld();
    const known = this.#entries.get(key);
    if (known !== undefined) return await answerOf(known, request);
    this.#requireRoom(caller);
    const answer = run();
    const startedMs = this.#clock.monotonicMs();
    const entry = { request, answer, startedMs, caller: caller.name, bytes: 0 };
    this.#entries.set(key, entry);
    this.#keyShares.take(caller.name);
    const bytes = await answer.then(bytesOf, () => undefined);
    if (this.#entries.get(key) === entry) {
      if (bytes === undefined) this.#forget(key, entry);
      else this.#store(entry, bytes);
    }
    return await answer;
  }

  #store(entry: Entry<Answer>, bytes: number): void {
    entry.bytes = bytes;
    this.#byteShares.take(entry.caller, bytes);
    this.#answered.add(entry);
    while (this.#byteShares.taken > this.#byteShares.max) {
      // Whoever has most stored makes the room, with its oldest answer.
      const { largest } = this.#byteShares;
      const oldest = this.#answered.values().find(({ caller }) => caller === largest);
      if (oldest === undefined) return;
      this.#dropAnswer(oldest);
    }
  }

  #forget(key: string, entry: Entry<Answer>): void {
    this.#entries.delete(key);
    this.#keyShares.give(entry.caller);
  }

  #dropAnswer(entry: Entry<Answer>): void {
    entry.answer = undefined;
    if (this.#answered.delete(entry)) this.#byteShares.give(entry.caller, entry.bytes);
  }

  #forgetOld(): void {
    const oldestMs = this.#clock.monotonicMs() - IDEMPOTENCY_MS;
    for (const [key, entry] of this.#entries) {
      if (entry.startedMs > oldestMs) return;
      this.#dropAnswer(entry);
      this.#forget(key, entry);
    }
  }

  #requireRoom(caller: Taker): void {
    const why = this.#keyShares.refusal(caller);
    if (why === undefined) return;
    const [oldest] = this.#entries.values();
    const waitMs = (oldest?.startedMs ?? 0) + IDEMPOTENCY_MS - this.#clock.monotonicMs();
    throw new Fault(
      "keys-exhausted",
      `Cannot remember another Idempotency-Key within ${
        IDEMPOTENCY_MS / 60_000
      } minutes: ${why}: ` +
        "try later, or send the request without one",
      { retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)) },
    );
  }
}

async function answerOf<Answer>(known: Entry<Answer>, request: string): Promise<Answer> {
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
