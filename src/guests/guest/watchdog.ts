import { ENGINE_STOP_MS, RUN_BUDGET_MS_MAX } from "../../core/limits.ts";
import type { Clock } from "../../core/ports/clock.ts";
import type { GuestEngine, GuestExit } from "../../core/ports/guest_engine.ts";

/** What runs of an engine are made with. */
interface WatchedRunsParts {
  readonly engine: GuestEngine;
  readonly clock: Clock;
  /** The engine does not answer: it is to be closed, so that its run rejects. */
  readonly onSilent: (why: string) => void;
}

/** Runs of one engine, each watched: one that does not end when it must has failed. */
export class Watchdog {
  readonly #engine: GuestEngine;
  readonly #clock: Clock;
  readonly #onSilent: (why: string) => void;
  #cancelWatches: (() => void)[] | undefined;

  constructor({ engine, clock, onSilent }: WatchedRunsParts) {
    this.#engine = engine;
    this.#clock = clock;
    this.#onSilent = onSilent;
  }

  /** One run. Only one at a time. */
  async run(budgetMs: number): Promise<GuestExit> {
    const watches: (() => void)[] = [];
    this.#cancelWatches = watches;
    this.#watch(budgetMs + ENGINE_STOP_MS, "the engine does not answer");
    try {
      return await this.#engine.run(budgetMs);
    } finally {
      this.#cancelWatches = undefined;
      for (const cancel of watches) cancel();
    }
  }

  /**
   * Runs again at the end of each budget.
   *
   * @param goesOn Whether to, when a budget has ended
   */
  async runOn(goesOn: () => boolean): Promise<GuestExit> {
    for (;;) {
      const exit = await this.run(RUN_BUDGET_MS_MAX);
      if (exit.reason !== "budget" || !goesOn()) return exit;
    }
  }

  /** Ends the run in progress, if there is one. */
  interrupt(): void {
    if (this.#cancelWatches === undefined) return;
    this.#engine.interrupt();
    this.#watch(ENGINE_STOP_MS, "the engine does not answer an interrupt");
  }

  #watch(ms: number, why: string): void {
    this.#cancelWatches?.push(this.#clock.after(ms, () => this.#onSilent(why)));
  }
}
