import type { GuestExit, Rings } from "../../core/ports/guest_engine.ts";
import type { GuestAbi } from "./guest_abi.ts";
import type { VcpuExit } from "./vcpu.ts";

/** What the loop needs of the engine around it. */
export interface LoopHost {
  monotonicMs(): number;
  /** Runs the guest's code for a slice of about a millisecond, or until it leaves by itself. */
  slice(): VcpuExit;
  /** Lets messages in, and waits until `wake` or for `ms` at most; 0 only lets them in. */
  idle(ms: number): Promise<void>;
  /** Ends a wait in `idle`. */
  wake(): void;
  /** Attached addresses were notified. */
  notified(rings: Rings): void;
}

/** The guest runs at most this long before messages are let in, in milliseconds. */
const BREATH_MS = 1;

/**
 * Runs a guest until something interesting happens: hypercall, interrupt, halt and budget in
 * lguest's order (seed 003, read(); lguest's run_guest()).
 */
export class RunLoop {
  readonly #host: LoopHost;
  readonly #abi: GuestAbi;
  #interrupted = false;

  constructor(host: LoopHost, abi: GuestAbi) {
    this.#host = host;
    this.#abi = abi;
  }

  /** Ends the run in progress like a signal. */
  interrupt(): void {
    this.#interrupted = true;
    this.#host.wake();
  }

  /** Makes an interrupt line pending; a running guest takes it at its next slice. */
  raise(line: number): void {
    this.#abi.interrupts.raise(line);
    this.#host.wake();
  }

  /**
   * One run. Only one at a time. What attached addresses were notified is told before it ends.
   *
   * @param budgetMs How long it may take
   */
  async run(budgetMs: number): Promise<GuestExit> {
    const exit = await this.#run(budgetMs);
    this.#tell();
    return exit;
  }

  async #run(budgetMs: number): Promise<GuestExit> {
    const endMs = this.#host.monotonicMs() + budgetMs;
    let breathMs = this.#host.monotonicMs();
    this.#interrupted = false;
    for (;;) {
      const value = this.#abi.callPending ? this.#abi.doCalls() : undefined;
      if (this.#abi.death !== undefined) return this.#abi.death;
      if (value !== undefined) return { reason: "notify", value };
      if (this.#interrupted) return { reason: "interrupted" };
      const nowMs = this.#host.monotonicMs();
      if (nowMs >= endMs) return { reason: "budget" };
      if (!this.#abi.prepareEntry()) {
        if (this.#abi.death === undefined) {
          await this.#breathe(Math.min(endMs - nowMs, this.#abi.clockLeftMs));
        }
        continue;
      }
      const exit = this.#enter();
      if (exit !== undefined) return exit;
      if (this.#host.monotonicMs() - breathMs >= BREATH_MS) {
        await this.#breathe(0);
        breathMs = this.#host.monotonicMs();
      }
    }
  }

  #breathe(ms: number): Promise<void> {
    this.#tell();
    return this.#host.idle(ms);
  }

  #tell(): void {
    const rings = this.#abi.doorbells.take();
    if (rings !== undefined) this.#host.notified(rings);
  }

  #enter(): GuestExit | undefined {
    const left = this.#host.slice();
    switch (left.reason) {
      case "slice":
        return undefined;
      case "doorbell":
        this.#abi.called();
        return undefined;
      case "crash":
        this.#abi.die(left.detail);
        return undefined;
      case "halt":
      case "idle":
        return { reason: left.reason };
    }
  }
}
