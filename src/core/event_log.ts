import { EVENT_SEQ_BLOCK, EVENTS_RETAINED_MAX } from "./limits.ts";
import { commit } from "./commit.ts";
import type { Clock } from "./ports/clock.ts";
import type { Audience, EventFact, EventSink } from "./ports/events.ts";
import type { Ledger } from "./ports/ledger.ts";
import { waitUntil } from "./wait_until.ts";

/** A fact with its place in the order of all. */
export interface LoggedEvent extends EventFact {
  /** Strictly increasing, across restarts too. Gaps are normal. */
  readonly seq: number;
  /** When it happened, nanoseconds since 1970-01-01T00:00:00Z. */
  readonly timeNs: bigint;
  readonly audience: Audience | undefined;
}

/** Events that the ring no longer holds: those with `after` < seq < `before`. */
interface EventGap {
  readonly after: number;
  readonly before: number;
}

/** The events after the last one that a reader knows. */
export interface EventPage {
  /** The events that are missing before the first item, if any are. */
  readonly gap: EventGap | undefined;
  readonly items: readonly LoggedEvent[];
}

const COUNTER_ID = "events";

/** Whether a reader may be shown an event. */
type IsVisible = (event: LoggedEvent) => boolean;

/** Of the events after another, those that a reader may be shown. */
export interface VisiblePage extends EventPage {
  /** Every event up to this number was looked at. */
  readonly through: number;
}

/**
 * The last events, in a ring in memory. Sequence numbers continue after a restart, because the
 * ledger holds a number that no event has reached yet. That number is raised in blocks, so that an
 * event costs no commit.
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

  /** Opens the log with numbers above those of all earlier processes. */
  static async open({ ledger, clock }: { ledger: Ledger; clock: Clock }): Promise<EventLog> {
    const counter = (await ledger.load("counter")).find(({ id }) => id === COUNTER_ID);
    const log = new EventLog(ledger, clock, typeof counter?.body === "number" ? counter.body : 1);
    await log.#reserve();
    return log;
  }

  /** Number of the last event; one less than that of the next. */
  get lastSeq(): number {
    return this.#nextSeq - 1;
  }

  emit(fact: EventFact, audience?: Audience): void {
    this.#ring.push({ ...fact, seq: this.#nextSeq++, timeNs: this.#clock.wallNs(), audience });
    if (this.#ring.length > EVENTS_RETAINED_MAX) this.#ring.shift();
    if (this.#reserved - this.#nextSeq === EVENT_SEQ_BLOCK / 2) {
      // Half a block is left. A failure is ignored, because every other commit fails then as well.
      this.#reserve().catch(() => {});
    }
    for (const listener of this.#listeners) listener();
  }

  /**
   * The events after another.
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
   * The events after another that a reader may be shown.
   *
   * @param isVisible Whether it may be shown an event
   */
  visibleAfter(after: number, limit: number, isVisible: IsVisible): VisiblePage {
    const { gap, items: all } = this.after(after, EVENTS_RETAINED_MAX);
    const items: LoggedEvent[] = [];
    for (const event of all) {
      if (!isVisible(event)) continue;
      items.push(event);
      if (items.length === limit) return { gap, items, through: event.seq };
    }
    return { gap, items, through: this.lastSeq };
  }

  /**
   * The events after another that a reader may be shown. When there is none yet, it waits for the
   * next one.
   *
   * @param waitMs How long to wait at most, in milliseconds
   * @param signal Ends the wait
   * @returns `undefined` when no event came in time; a page without events when some came and none
   * may be shown
   */
  async next(
    after: number,
    limit: number,
    waitMs: number,
    signal: AbortSignal,
    isVisible: IsVisible = () => true,
  ): Promise<VisiblePage | undefined> {
    let page: VisiblePage = { gap: undefined, items: [], through: after };
    const look = (): true | undefined => {
      // What was hidden once is not looked at again, and what was found is not lost to a later one.
      if (page.items.length === 0 && page.gap === undefined && page.through !== this.lastSeq) {
        page = this.visibleAfter(page.through, limit, isVisible);
      }
      return page.items.length > 0 || page.gap !== undefined || undefined;
    };
    const listen = (listener: () => void): () => void => {
      this.#listeners.add(listener);
      return () => this.#listeners.delete(listener);
    };
    await waitUntil(look, { clock: this.#clock, listen, waitMs, signal });
    return page.through === after ? undefined : page;
  }

  async #reserve(): Promise<void> {
    const reserved = this.#nextSeq + EVENT_SEQ_BLOCK;
    await commit(this.#ledger, [{ kind: "counter", id: COUNTER_ID, body: reserved }]);
    this.#reserved = reserved;
  }
}
