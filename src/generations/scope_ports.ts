import type { Clock } from "../core/ports/clock.ts";
import type { EventSink } from "../core/ports/events.ts";
import type { Ledger } from "../core/ports/ledger.ts";
import type { Processes } from "../core/ports/processes.ts";
import type { Random } from "../core/ports/random.ts";

/** What a scope needs from outside to be durable. */
export interface ScopePorts {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: EventSink;
  /** What the host can prove of watchers' processes; nothing without it. */
  readonly processes?: Processes | undefined;
}
