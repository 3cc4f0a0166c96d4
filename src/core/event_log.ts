import { EVENT_FLUSH_MS, EVENT_SEQ_BLOCK, EVENTS_RETAINED_MAX } from "./limits.ts";
import { commit } from "./commit.ts";
import type { LoggedEvent } from "./logged_event.ts";
import type { Clock } from "./ports/clock.ts";
import type { Audience, EventFact, EventSink } from "./ports/events.ts";
import type { Ledger, LedgerRow } from "./ports/ledger.ts";
import { SavedEvents } from "./saved_events.ts";
import { waitUntil } from "./wait_until.ts";

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

/** Whether a reader may be shown an event, or wants it. */
export type EventFilter = (event: LoggedEvent) => boolean;

/** Of the events after another, those that a reader may be shown. */
export interface VisiblePage extends EventPage {
  /** Every event up to this number was looked at. */
  readonly through: number;
}

/**
 * The last events, in a ring in memory that the ledger has too. Events are written a little later,
 * in groups, so that one costs no commit of its own. Sequence numbers continue after a restart,
 * because the ledger holds a number that no event has reached yet; that one is raised in blocks.
 * After a clean stop they continue without a gap. After a kill the last events may be lost, so the
 * numbers go on in the next block, and a reader is told of the gap.
 */
export class EventLog implements EventSink {
  readonly #ledger: Ledger;
  readonly #clock: Clock;
  readonly #ring: LoggedEvent[];
  readonly #saved: SavedEvents;
  readonly #listeners = new Set<() => void>();
  #nextSeq: number;
  #reserved: number;
  /** Number of the last event that the ledger has. */
  #savedSeq: number;
  #cancelSave: (() => void) | undefined;
  #saving: Promise<void> = Promise.resolve();

  private constructor(
    { ledger, clock }: { ledger: Ledger; clock: Clock },
    nextSeq: number,
    rows: readonly LedgerRow[],
  ) {
    this.#ledger = ledger;
    this.#clock = clock;
    this.#saved = new SavedEvents();
    this.#ring = this.#saved.read(rows);
    this.#nextSeq = nextSeq;
    this.#reserved = nextSeq;
    this.#savedSeq = nextSeq - 1;
  }

  /** Opens the log with the events of earlier processes, and with numbers above theirs. */
  static async open(ports: { ledger: Ledger; clock: Clock }): Promise<EventLog> {
    const counter = (await ports.ledger.load("counter")).find(({ id }) => id === COUNTER_ID);
    const next = typeof counter?.body === "number" ? counter.body : 1;
    const log = new EventLog(ports, next, await ports.ledger.load("event"));
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
    this.#cancelSave ??= this.#clock.after(EVENT_FLUSH_MS, () => {
      // What fails is tried again with the next event.
      this.save().catch(() => {});
    });
    for (const listener of this.#listeners) listener();
  }

  /** Writes the events that are not in the ledger yet. */
  save(): Promise<void> {
    this.#cancelSave?.();
    this.#cancelSave = undefined;
    this.#saving = this.#saving.catch(() => {}).then(async () => {
      const events = this.#ring.slice(this.#indexAfter(this.#savedSeq));
      if (events.length === 0) return;
      await commit(this.#ledger, this.#saved.entries(events));
      this.#saved.saved(events.length);
      this.#savedSeq = events.at(-1)?.seq ?? this.#savedSeq;
    });
    return this.#saving;
  }

  /** Writes all, and has the next process go on with the very next number. */
  async close(): Promise<void> {
    await this.save();
    this.#cancelSave?.();
    await commit(this.#ledger, [{ kind: "counter", id: COUNTER_ID, body: this.#nextSeq }]);
  }

  /**
   * The events after another, up to the next gap.
   *
   * @param after Number of the last event that the reader knows; 0 for none
   * @param limit How many events at most
   */
  after(after: number, limit: number): EventPage {
    // A number that never was: the reader has it from elsewhere, and begins anew.
    const index = after > this.lastSeq ? 0 : this.#indexAfter(after);
    const next = this.#ring[index]?.seq ?? this.#nextSeq;
    const isMissing = next > after + 1 || after > this.lastSeq;
    const items: LoggedEvent[] = [];
    for (const event of this.#ring.slice(index, index + limit)) {
      if (event.seq !== next + items.length) break;
      items.push(event);
    }
    return {
      gap: isMissing ? { after: Math.min(after, next - 1), before: next } : undefined,
      items,
    };
  }

  /**
   * The events after another that a reader may be shown.
   *
   * @param isVisible Whether it may be shown an event
   */
  visibleAfter(after: number, limit: number, isVisible: EventFilter): VisiblePage {
    const { gap, items: all } = this.after(after, EVENTS_RETAINED_MAX);
    const items: LoggedEvent[] = [];
    for (const event of all) {
      if (!isVisible(event)) continue;
      items.push(event);
      if (items.length === limit) return { gap, items, through: event.seq };
    }
    // Up to a gap, when there is one.
    return { gap, items, through: all.at(-1)?.seq ?? (gap?.before ?? after + 1) - 1 };
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
    isVisible: EventFilter = () => true,
  ): Promise<VisiblePage | undefined> {
    let page: VisiblePage = { gap: undefined, items: [], through: after };
    const look = (): true | undefined => {
      // What was hidden once is not looked at again, and what was found is not lost to a later one.
      while (page.items.length === 0 && page.gap === undefined && page.through !== this.lastSeq) {
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

  /** Where in the ring the first event after another is. */
  #indexAfter(seq: number): number {
    let [from, to] = [0, this.#ring.length];
    while (from < to) {
      const middle = (from + to) >> 1;
      if ((this.#ring[middle]?.seq ?? 0) <= seq) from = middle + 1;
      else to = middle;
    }
    return from;
  }

  async #reserve(): Promise<void> {
    const reserved = this.#nextSeq + EVENT_SEQ_BLOCK;
    await commit(this.#ledger, [{ kind: "counter", id: COUNTER_ID, body: reserved }]);
    this.#reserved = reserved;
  }
}
