import { EVENTS_RETAINED_MAX } from "./limits.ts";
import type { LoggedEvent } from "./logged_event.ts";
import type { LedgerEntry, LedgerRow } from "./ports/ledger.ts";

type EventBody = Omit<LoggedEvent, "timeNs"> & { readonly timeNs: string };

const PLACE_DIGITS = String(EVENTS_RETAINED_MAX).length;

/**
 * The events as the ledger has them: a ring of rows, of which each is overwritten when it is as old
 * as the ring is long. Each has a row of its own, since the ledger reads whole rows to compare their
 * keys: rows of many events slowed every bump down.
 */
export class SavedEvents {
  #nextPlace = 0;

  /** Reads events back, oldest first. */
  read(rows: readonly LedgerRow[]): LoggedEvent[] {
    // Early builds had rows of many events; they are passed over.
    const events = rows.filter(({ body }) => !Array.isArray(body)).map(({ id, body }) => {
      const { timeNs, ...event } = body as EventBody;
      return { id, event: { ...event, timeNs: BigInt(timeNs) } };
    }).sort((a, b) => a.event.seq - b.event.seq);
    const newest = events.at(-1);
    if (newest !== undefined) this.#nextPlace = placeAfter(Number(newest.id));
    return events.map(({ event }) => event);
  }

  /** The entries that write events. */
  entries(events: readonly LoggedEvent[]): LedgerEntry[] {
    let place = this.#nextPlace;
    return events.map((event) => {
      const id = String(place).padStart(PLACE_DIGITS, "0");
      place = placeAfter(place);
      return { kind: "event", id, body: plain({ ...event, timeNs: String(event.timeNs) }) };
    });
  }

  /** Notes that the ledger has so many more. */
  saved(count: number): void {
    this.#nextPlace = (this.#nextPlace + count) % EVENTS_RETAINED_MAX;
  }
}

function placeAfter(place: number): number {
  return (place + 1) % EVENTS_RETAINED_MAX;
}

/** A value as JSON has it: bigints as decimal strings. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)]));
}
