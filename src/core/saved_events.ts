import { EVENTS_RETAINED_MAX } from "./limits.ts";
import type { LoggedEvent } from "./logged_event.ts";
import type { LedgerEntry, LedgerRow } from "./ports/ledger.ts";

type EventBody = Omit<LoggedEvent, "timeNs"> & { readonly timeNs: string };

/** A group of events that the ledger has in one row. */
interface Group {
  readonly id: string;
  readonly lastSeq: number;
}

/** Digits of a row's id, so that the order of ids is that of events. */
const ID_DIGITS = 16;

/** The events as the ledger has them: those of one commit in one row, the oldest row first. */
export class SavedEvents {
  readonly #groups: Group[] = [];

  /** Reads events back. The rows come in the order of their ids. */
  read(rows: readonly LedgerRow[]): LoggedEvent[] {
    const events = rows.flatMap(({ id, body }) => {
      const group = (body as EventBody[]).map((event) => ({
        ...event,
        timeNs: BigInt(event.timeNs),
      }));
      this.#groups.push({ id, lastSeq: group.at(-1)?.seq ?? 0 });
      return group;
    });
    return events.slice(-EVENTS_RETAINED_MAX);
  }

  /** The entries that write events, and remove the rows that have only older ones than are retained. */
  entries(events: readonly LoggedEvent[]): LedgerEntry[] {
    const [first] = events;
    const last = events.at(-1);
    if (first === undefined || last === undefined) return [];
    const id = String(first.seq).padStart(ID_DIGITS, "0");
    const body = events.map((event) => plain({ ...event, timeNs: String(event.timeNs) }));
    return [
      { kind: "event", id, body },
      ...this.#old(last.seq).map((group) => ({
        kind: "event" as const,
        id: group.id,
        body: undefined,
      })),
    ];
  }

  /** Notes that the ledger has these, and no longer the old ones. */
  saved(events: readonly LoggedEvent[]): void {
    const [first] = events;
    const last = events.at(-1);
    if (first === undefined || last === undefined) return;
    this.#groups.splice(0, this.#old(last.seq).length);
    this.#groups.push({ id: String(first.seq).padStart(ID_DIGITS, "0"), lastSeq: last.seq });
  }

  #old(lastSeq: number): readonly Group[] {
    const index = this.#groups.findIndex((group) => group.lastSeq > lastSeq - EVENTS_RETAINED_MAX);
    return this.#groups.slice(0, index < 0 ? this.#groups.length : index);
  }
}

/** A value as JSON has it: bigints as decimal strings. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, plain(item)]));
}
