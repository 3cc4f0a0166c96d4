import { LEASE_LATE_MS_MAX } from "./limits.ts";
import type { Clock } from "./ports/clock.ts";

interface Lease {
  readonly leaseMs: number;
  readonly onOut: () => void;
  /** Open holds. Renewals share this counter; it lives until the lease ends. */
  readonly holds: { count: number };
  cancel: () => void;
}

/**
 * Named leases: each runs out unless its bearer renews it. A lease can be held, which stops it
 * while the bearer waits for an answer of the daemon. It does not run out either while the daemon
 * itself stands still, stopped or suspended, since nobody could renew it then.
 */
export class Leases {
  readonly #clock: Clock;
  readonly #leases = new Map<string, Lease>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Starts a lease, or renews it. A held lease starts when its last hold is released.
   *
   * @param onOut Called once when it runs out, after it was removed
   */
  start(name: string, leaseMs: number, onOut: () => void): void {
    const holds = this.#leases.get(name)?.holds ?? { count: 0 };
    this.end(name);
    const lease = { leaseMs, onOut, holds, cancel: () => {} };
    this.#leases.set(name, lease);
    if (holds.count === 0) this.#run(name, lease);
  }

  /** Stops a lease until the returned function is called; then its whole time starts again. */
  hold(name: string): () => void {
    const held = this.#leases.get(name);
    if (held === undefined) return () => {};
    const { holds } = held;
    held.cancel();
    holds.count++;
    return () => {
      const lease = this.#leases.get(name);
      if (--holds.count === 0 && lease?.holds === holds) this.#run(name, lease);
    };
  }

  has(name: string): boolean {
    return this.#leases.has(name);
  }

  /** Ends a lease before its time. Nothing happens when there is none. */
  end(name: string): void {
    this.#leases.get(name)?.cancel();
    this.#leases.delete(name);
  }

  /** Ends all leases. */
  stop(): void {
    for (const name of [...this.#leases.keys()]) this.end(name);
  }

  #run(name: string, lease: Lease): void {
    const dueMs = this.#clock.monotonicMs() + lease.leaseMs;
    lease.cancel = this.#clock.after(lease.leaseMs, () => {
      const lateMs = this.#clock.monotonicMs() - dueMs;
      if (lateMs > LEASE_LATE_MS_MAX) return this.#run(name, lease);
      this.#leases.delete(name);
      lease.onOut();
    });
  }
}
