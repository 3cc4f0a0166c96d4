import type { Clock } from "../core/ports/clock.ts";

/** Holds that end by themselves when nobody renews them. */
export class Leases {
  readonly #clock: Clock;
  readonly #cancels = new Map<string, () => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Begins or renews a lease.
   *
   * @param leaseMs `undefined` for a hold without end
   * @param onEnd Called when it runs out. Unless it returns true it is called again after as long
   */
  keep(name: string, leaseMs: number | undefined, onEnd: () => Promise<boolean>): void {
    this.end(name);
    if (leaseMs === undefined) return;
    const cancel = this.#clock.after(leaseMs, async () => {
      const isEnded = await onEnd();
      if (!isEnded && this.#cancels.get(name) === cancel) this.keep(name, leaseMs, onEnd);
    });
    this.#cancels.set(name, cancel);
  }

  /** Ends a lease before its time, also when there is none. */
  end(name: string): void {
    this.#cancels.get(name)?.();
    this.#cancels.delete(name);
  }

  /** Ends all leases. */
  stop(): void {
    for (const name of [...this.#cancels.keys()]) this.end(name);
  }
}
