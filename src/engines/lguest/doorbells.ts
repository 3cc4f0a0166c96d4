import type { Rings } from "../../core/ports/guest_engine.ts";

/**
 * The attached addresses: a notify of one is counted and does not end the run, as with lguest's
 * eventfds. Counts add up here until they are taken, so that a guest that notifies a million times
 * a second costs its listeners one message a millisecond.
 */
export class Doorbells {
  readonly #counts = new Map<number, number>();
  #rung = false;

  /** Counts notifies of this address from now on. Attaching again changes nothing. */
  attach(address: number): void {
    if (!this.#counts.has(address)) this.#counts.set(address, 0);
  }

  /** Notifies of this address end the run again. A count that was not taken is dropped. */
  detach(address: number): void {
    this.#counts.delete(address);
  }

  /**
   * Counts a notify.
   *
   * @returns Whether the address is attached
   */
  ring(address: number): boolean {
    const count = this.#counts.get(address);
    if (count === undefined) return false;
    this.#counts.set(address, count + 1);
    this.#rung = true;
    return true;
  }

  /** Takes what was counted since the last call, `undefined` when that is nothing. */
  take(): Rings | undefined {
    if (!this.#rung) return undefined;
    this.#rung = false;
    const rings = [...this.#counts].filter(([, count]) => count > 0);
    for (const [address] of rings) this.#counts.set(address, 0);
    return rings;
  }
}
