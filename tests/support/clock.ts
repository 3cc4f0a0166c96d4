import type { Clock } from "../../src/core/ports/clock.ts";

/** A clock that stands still until a test moves it. */
export class FakeClock implements Clock {
  #nowMs = 0;
  #timers = new Map<number, { atMs: number; action: () => void }>();
  #nextTimer = 1;
  #steppedNs = 0n;
  monotonicId: string | undefined = "boot-1";

  wallNs(): bigint {
    return 1_700_000_000_000_000_000n + BigInt(Math.round(this.#nowMs * 1e6)) +
      this.#steppedNs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, action: () => void): () => void {
    const id = this.#nextTimer++;
    this.#timers.set(id, { atMs: this.#nowMs + delayMs, action });
    return () => this.#timers.delete(id);
  }

  /** Sets the wall clock, as an operator or the network does. Nothing else changes. */
  stepWall(ms: number): void {
    this.#steppedNs += BigInt(ms) * 1_000_000n;
  }

  /** Moves time on, firing in order the timers that come due. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      const due = [...this.#timers].filter(([, timer]) => timer.atMs <= untilMs)
        .sort(([, a], [, b]) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      const [id, timer] = due;
      this.#timers.delete(id);
      this.#nowMs = Math.max(this.#nowMs, timer.atMs);
      timer.action();
    }
    this.#nowMs = untilMs;
  }

  /** Moves time on as while the process is stopped: what came due fires late, all at the end. */
  suspend(ms: number): void {
    this.#nowMs += ms;
    this.advance(0);
  }

  /** How many timers wait. */
  get pending(): number {
    return this.#timers.size;
  }
}
