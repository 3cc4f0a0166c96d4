import type { GuestExit } from "../../core/ports/guest_engine.ts";
import type { GuestAbi } from "./guest_abi.ts";
import type { EngineThread } from "./thread.ts";
import type { VcpuExit } from "./vcpu.ts";

/** The guest runs at most this long before messages are let in, in milliseconds. */
const BREATH_MS = 1;

/**
 * Runs a guest until something interesting happens. Hypercalls, death, interrupts, the budget, a
 * halt and the guest's own code come in the order of lguest's run_guest() (docs/guests.md#abi).
 */
export class RunLoop {
  readonly #thread: EngineThread;
  readonly #abi: GuestAbi;
  readonly #slice: () => VcpuExit;
  #interrupted = false;

  /** @param slice Runs the guest's code for about a millisecond, or until it leaves by itself */
  constructor(thread: EngineThread, abi: GuestAbi, slice: () => VcpuExit) {
    this.#thread = thread;
    this.#abi = abi;
    this.#slice = slice;
  }

  /** Ends the run in progress like a signal. */
  interrupt(): void {
    this.#interrupted = true;
    this.#thread.wake();
  }

  /** Makes an interrupt line pending; a running guest takes it at its next slice. */
  raise(line: number): void {
    this.#abi.interrupts.raise(line);
    this.#thread.wake();
  }

  /**
   * Runs once; there must be no other run in progress. Notifies of attached addresses are reported
   * before it ends.
   *
   * @param budgetMs How long it may take
   */
  async run(budgetMs: number): Promise<GuestExit> {
    const exit = await this.#run(budgetMs);
    this.#report();
    return exit;
  }

  async #run(budgetMs: number): Promise<GuestExit> {
    const endMs = this.#thread.monotonicMs() + budgetMs;
    let breathMs = this.#thread.monotonicMs();
    this.#interrupted = false;
    for (;;) {
      const value = this.#abi.callPending ? this.#abi.doCalls() : undefined;
      if (this.#abi.death !== undefined) return this.#abi.death;
      if (value !== undefined) return { reason: "notify", value };
      if (this.#interrupted) return { reason: "interrupted" };
      const nowMs = this.#thread.monotonicMs();
      if (nowMs >= endMs) return { reason: "budget" };
      if (!this.#abi.prepareEntry()) {
        if (this.#abi.death === undefined) {
          await this.#breathe(Math.min(endMs - nowMs, this.#abi.clockLeftMs));
        }
        continue;
      }
      const exit = this.#enter();
      if (exit !== undefined) return exit;
      if (this.#thread.monotonicMs() - breathMs >= BREATH_MS) {
        await this.#breathe(0);
        breathMs = this.#thread.monotonicMs();
      }
    }
  }

  #breathe(ms: number): Promise<void> {
    this.#report();
    return this.#thread.idle(ms);
  }

  #report(): void {
    const rings = this.#abi.doorbells.take();
    if (rings !== undefined) this.#thread.notified(rings);
  }

  #enter(): GuestExit | undefined {
    const left = this.#slice();
    if (left.reason === "halt" || left.reason === "idle") return { reason: left.reason };
    if (left.reason === "doorbell") this.#abi.called();
    if (left.reason === "crash") this.#abi.die(left.detail);
    return undefined;
  }
}
