import { CHANNEL_WAIT_MS } from "../../core/limits.ts";
import type { Clock } from "../../core/ports/clock.ts";
import { waitUntil } from "../../core/wait_until.ts";
import type { Channels } from "../../guests/guest/channels.ts";
import { POLLERR, POLLIN, POLLRDNORM } from "../../native/constants.ts";
import type { OpenFile, ReadCall } from "../node.ts";
import { Refusal } from "../refusal.ts";

/** What eventfd(2) reads: an unsigned 64-bit count. */
const COUNT_BYTES = 8;

/**
 * An open channel of a guest, as lguest gives its devices an eventfd. Each open file has a count of
 * its own, from its open on: what one takes, the others still have.
 */
export class OpenChannel implements OpenFile {
  readonly #clock: Clock;
  readonly #stopListening: () => void;
  readonly #changed = new Set<() => void>();
  #count = 0;
  /** The channel's own count, which others take from. */
  #last: number;
  #isGone = false;

  /** @throws {Fault} `guest-dead`, `channel-not-found` */
  constructor(channels: Channels, address: bigint, clock: Clock, wake: () => void) {
    this.#clock = clock;
    this.#last = channels.get(address).count;
    this.#stopListening = channels.listen(address, (change) => {
      if (change.kind === "closed") this.#isGone = true;
      else {
        this.#count += Math.max(0, change.count - this.#last);
        this.#last = change.count;
      }
      for (const onChange of this.#changed) onChange();
      if (this.poll() !== 0) wake();
    });
  }

  async read({ size, nonblocking, signal }: ReadCall): Promise<Uint8Array> {
    if (size < COUNT_BYTES) throw new Refusal("EINVAL");
    const look = (): number | undefined => {
      if (this.#count === 0 && this.#isGone) throw new Refusal("ENODEV");
      return this.#count === 0 ? undefined : this.#count;
    };
    const listen = (onChange: () => void): () => void => {
      this.#changed.add(onChange);
      return () => this.#changed.delete(onChange);
    };
    for (;;) {
      const waitMs = nonblocking ? 0 : CHANNEL_WAIT_MS;
      await waitUntil(look, { clock: this.#clock, listen, waitMs, signal });
      // Another reader of this open file may have been first.
      const count = this.#count;
      this.#count = 0;
      if (count > 0) return new Uint8Array(BigUint64Array.of(BigInt(count)).buffer);
      if (nonblocking) throw new Refusal("EAGAIN");
      if (signal.aborted) throw new Refusal("EINTR");
    }
  }

  poll(): number {
    if (this.#count > 0) return POLLIN | POLLRDNORM;
    return this.#isGone ? POLLERR : 0;
  }

  close(): void {
    this.#stopListening();
  }
}
