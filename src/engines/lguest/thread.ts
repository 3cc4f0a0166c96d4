import type { Clock } from "../../core/ports/clock.ts";
import type { Rings } from "../../core/ports/guest_engine.ts";

/** What a guest needs of the thread on which it runs. */
export interface EngineThread extends Pick<Clock, "wallNs" | "monotonicMs"> {
  /** Lets messages in, and waits until `wake` or for `ms` at most; 0 only lets them in. */
  idle(ms: number): Promise<void>;
  /** Ends a wait in `idle`. */
  wake(): void;
  /** Reports that attached addresses were notified. */
  notified(rings: Rings): void;
}
