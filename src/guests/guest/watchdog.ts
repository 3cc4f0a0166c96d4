import { ENGINE_STOP_MS, RUN_BUDGET_MS_MAX } from "../../core/limits.ts";
import type { Clock } from "../../core/ports/clock.ts";
import type { GuestEngine, GuestExit } from "../../core/ports/guest_engine.ts";

/** Watches the runs of one engine: a run that does not end when it must is given up. */
export class Watchdog {
  readonly #engine: GuestEngine;
  readonly #clock: Clock;
  readonly #onSilent: (why: string) => void;
  /** Timers of the run in progress. */
  #timers: (() => void)[] | undefined;

  /** @param onSilent The engine does not answer. It must be closed, so that its run rejects */
  constructor(engine: GuestEngine, clock: Clock, onSilent: (why: string) => void) {
    this.#engine = engine;
    this.#clock = clock;
    this.#onSilent = onSilent;
  }

  /** Runs once. There must be no other run in progress. */
  async run(budgetMs: number): Promise<GuestExit> {
    const timers: (() => void)[] = [];
    this.#timers = timers;
    this.#startTimer(budgetMs + ENGINE_STOP_MS, "the engine does not answer");
    try {
      return await this.#engine.run(budgetMs);
    } finally {
      this.#timers = undefined;
      for (const cancel of timers) cancel();
    }
  }

  /**
   * Runs again whenever a budget ends.
   *
   * @param goesOn Asked at the end of each budget
   */
  async runOn(goesOn: () => boolean): Promise<GuestExit> {
    for (;;) {
      const exit = await this.run(RUN_BUDGET_MS_MAX);
      if (exit.reason !== "budget" || !goesOn()) return exit;
    }
  }

  /** Ends the run in progress, if there is one. */
  interrupt(): void {
    if (this.#timers === undefined) return;
    this.#engine.interrupt();
    this.#startTimer(ENGINE_STOP_MS, "the engine does not answer an interrupt");
  }

  #startTimer(ms: number, why: string): void {
    this.#timers?.push(this.#clock.after(ms, () => this.#onSilent(why)));
  }
}
