import { type Principal, takerOf } from "../access/tokens.ts";
import type { EventFilter, EventLog, EventPage } from "../core/event_log.ts";
import type { LoggedEvent } from "../core/logged_event.ts";
import { Shares } from "../core/shares.ts";
import { Fault } from "../core/faults.ts";
import { EVENT_COMMENT_MS, EVENT_FOLLOWERS_MAX, EVENTS_PAGE_MAX } from "../core/limits.ts";
import type { Caller } from "../core/rights.ts";
import { pageText } from "../wire/events.ts";

/** Whether a caller may be shown an event: it may read what the event is about. */
export function isShown({ audience }: LoggedEvent, caller: Caller): boolean {
  return caller.may("read", audience?.about);
}

/** A page of events as a caller may see it: what is said inside a guest only with `guest` on it. */
export function shownPage<Page extends EventPage>(page: Page, caller: Caller): Page {
  return {
    ...page,
    items: page.items.map((event) => {
      const { isInside = false, about } = event.audience ?? {};
      if (!isInside || caller.may("guest", about)) return event;
      const { reason: _, ...rest } = event;
      return { ...rest, data: {} };
    }),
  };
}

/** What streams of events are put together from. */
interface EventStreamsParts {
  readonly events: EventLog;
  /** Ends the streams when the daemon stops. */
  readonly stopping: AbortSignal;
  /** Whether the token of a principal is still in force. */
  readonly isKnown: (principal: Principal) => boolean;
}

/** Streams of events for those who follow what changes, and how many there are. */
export class EventStreams {
  readonly #parts: EventStreamsParts;
  readonly #encoder = new TextEncoder();
  readonly #shares = new Shares(EVENT_FOLLOWERS_MAX);

  constructor(parts: EventStreamsParts) {
    this.#parts = parts;
  }

  /**
   * What happens after an event, as server-sent events. The stream ends when the client goes away,
   * the daemon stops, or the principal's token is removed. The log is read when the client takes
   * more: a client that does not read costs nothing, and is sent a gap later.
   *
   * @param after Number of the last event that the client knows
   * @param wants Which events the client wants
   * @throws {Fault} `followers-exhausted`
   */
  follow(
    after: number,
    principal: Principal,
    wants: EventFilter = () => true,
  ): ReadableStream<Uint8Array> {
    const { events, stopping, isKnown } = this.#parts;
    const why = this.#shares.refusal(takerOf(principal));
    if (why !== undefined) {
      throw new Fault("followers-exhausted", `Cannot follow: ${why}; end some streams`);
    }
    this.#shares.take(principal.name);
    const gone = new AbortController();
    const signal = AbortSignal.any([stopping, gone.signal, principal.ended]);
    signal.addEventListener("abort", () => this.#shares.give(principal.name), { once: true });
    let known = after;
    return new ReadableStream({
      pull: async (controller) => {
        const page = await events.next(
          known,
          EVENTS_PAGE_MAX,
          EVENT_COMMENT_MS,
          signal,
          (event) => wants(event) && isShown(event, principal),
        );
        if (!isKnown(principal)) gone.abort();
        if (gone.signal.aborted || page === undefined && stopping.aborted) {
          return controller.close();
        }
        known = page?.through ?? known;
        const text = page === undefined ? "" : pageText(shownPage(page, principal));
        // The number is sent also when nothing may be shown, so that who comes back goes on there.
        const silence = page === undefined ? ": still here\n\n" : `: still here\nid: ${known}\n\n`;
        controller.enqueue(this.#encoder.encode(text || silence));
      },
      cancel: () => gone.abort(),
    });
  }
}
