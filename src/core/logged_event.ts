import type { Audience, EventFact } from "./ports/events.ts";

/** A fact with its place in the order of all. */
export interface LoggedEvent extends EventFact {
  /** Strictly increasing, across restarts too. Gaps are normal. */
  readonly seq: number;
  /** When it happened, nanoseconds since 1970-01-01T00:00:00Z. */
  readonly timeNs: bigint;
  readonly audience: Audience | undefined;
}
