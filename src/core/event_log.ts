import { EVENT_SEQ_BLOCK, EVENTS_RETAINED_MAX } from "./limits.ts";
import { commit } from "./commit.ts";
import type { Clock } from "./ports/clock.ts";
import type { EventFact, EventSink } from "./ports/events.ts";
import type { Ledger } from "./ports/ledger.ts";
import { waitUntil } from "./wait_until.ts";

/** A fact with its place in the order of all. */
export interface LoggedEvent extends EventFact {
  /** Ascending, also across restarts; not without holes. */
  readonly seq: number;
  /** When, nanoseconds since 1970. */
  readonly timeNs: bigint;
}

/** Events that were there and are no longer known: those with `after` < seq < `before`. */
interface EventGap {
  readonly after: number;
  readonly before: number;
}

/** What a reader gets who has read up to some event. */
export interface EventPage {
  /** There once, where something is missing in front of the first item. */
  readonly gap: EventGap | undefined;
  readonly items: readonly LoggedEvent[];
}

const COUNTER_ID = "events";

/**
 * The last events, in a ring. Sequence numbers go on after a restart: the ledger holds a number
 * that no event has reached yet, moved on in blocks, so that an event costs no commit.
 */
export class EventLog implements EventSink {
  readonly #ledger: Ledger;
  readonly #clock: Clock;
  readonly #ring: LoggedEvent[] = [];
  readonly #listeners = new Set<() => void>();
  #nextSeq: number;
  #reserved: number;

  private constructor(ledger: Ledger, clock: Clock, nextSeq: number) {
    this.#ledger = ledger;
    this.#clock = clock;
    this.#nextSeq = nextSeq;
    this.#reserved = nextSeq;
  }

  /** Goes on where the process before has stopped. */
  static async open({ ledger, clock }: { ledger: Ledger; clock: Clock }): Promise<EventLog> {
    const counter = (await ledger.load("counter")).find(({ id }) => id === COUNTER_ID);
    const log = new EventLog(ledger, clock, typeof counter?.body === "number" ? counter.body : 1);
    await log.#reserve();
    return log;
  }

  /** The number of the last event there was; one less than the next. */
  get lastSeq(): number {
    return this.#nextSeq - 1;
  }

  emit(fact: EventFact): void {
    this.#ring.push({ ...fact, seq: this.#nextSeq++, timeNs: this.#clock.wallNs() });
    if (this.#ring.length > EVENTS_RETAINED_MAX) this.#ring.shift();
    if (this.#reserved - this.#nextSeq === EVENT_SEQ_BLOCK / 2) {
      // Half a block is left: if this fails, so does everything else that is to be kept.
      this.#reserve().catch(() => {});
    }
    for (const listener of this.#listeners) listener();
  }

  /**
   * What happened after an event.
   *
   * @param after Number of the last event that the reader knows; 0 for none
   * @param limit How many events at most
   */
  after(after: number, limit: number): EventPage {
    const first = this.#ring[0]?.seq ?? this.#nextSeq;
    const start = Math.min(Math.max(0, after + 1 - first), this.#ring.length);
    const isBehind = after + 1 < first || after > this.lastSeq;
    return {
      gap: isBehind ? { after: Math.min(after, first - 1), before: first } : undefined,
      items: this.#ring.slice(after > this.lastSeq ? 0 : start).slice(0, limit),
    };
  }

  /**
   * What happened after an event; when nothing has, what happens next.
   *
   * @param waitMs How long to wait at most, in milliseconds
   * @param signal Ends the wait
   * @returns `undefined` when nothing has happened by then
   */
  async next(
    after: number,
    limit: number,
    waitMs: number,
    signal: AbortSignal,
  ): Promise<EventPage | undefined> {
    const look = (): true | undefined => after === this.lastSeq ? undefined : true;
    const listen = (listener: () => void): () => void => {
      this.#listeners.add(listener);
      return () => this.#listeners.delete(listener);
    };
    const isThere = await waitUntil(look, { clock: this.#clock, listen, waitMs, signal });
    return isThere && this.after(after, limit);
  }

  async #reserve(): Promise<void> {
    const reserved = this.#nextSeq + EVENT_SEQ_BLOCK;
    await commit(this.#ledger, [{ kind: "counter", id: COUNTER_ID, body: reserved }]);
    this.#reserved = reserved;
  }
}
