import { Fault } from "../../core/faults.ts";
import { CHANNELS_PER_GUEST_MAX, U32_MAX } from "../../core/limits.ts";
import type { Rings } from "../../core/ports/guest_engine.ts";
import type { Clock } from "../../core/ports/clock.ts";
import { Serial } from "../../core/serial.ts";
import { waitUntil } from "../../core/wait_until.ts";

/** A channel as it is at one moment. */
interface ChannelState {
  /** The address that a guest notifies, 1 to 2^32 - 1. */
  readonly address: number;
  /** Notifies that nobody has taken yet. */
  readonly count: number;
}

/** What listeners of a channel get: every new count, also 0, and its end. */
export type ChannelChange =
  | { readonly kind: "count"; readonly count: number }
  | { readonly kind: "closed" };

/** What channels need of their guest. */
interface ChannelHost {
  readonly id: string;
  readonly clock: Clock;
  /** @throws {Fault} `guest-dead` */
  requireAlive(): void;
  /** Notifies of this address are counted once this has resolved. */
  attach(address: number): Promise<void>;
  /** Notifies of this address end the run again. All counts were reported when this resolves. */
  detach(address: number): Promise<void>;
  /** Reports a change as an event. */
  emit(what: "attached" | "detached", address: number): void;
}

interface Channel {
  readonly address: number;
  readonly listeners: Set<(change: ChannelChange) => void>;
  count: number;
}

/**
 * The channels of one guest: addresses whose notifies are counted and do not end the run, as with
 * lguest's eventfds (docs/guests.md#lguest). Whoever attaches has shown the owner's token before. A
 * count adds up until somebody takes it.
 */
export class Channels {
  readonly #host: ChannelHost;
  readonly #channels = new Map<number, Channel>();
  readonly #serial = new Serial();

  constructor(host: ChannelHost) {
    this.#host = host;
  }

  /** All channels, in ascending order of their addresses. */
  list(): ChannelState[] {
    this.#host.requireAlive();
    return [...this.#channels.values()].map(stateOf).sort((a, b) => a.address - b.address);
  }

  /** @throws {Fault} `guest-dead`, `value-not-allowed`, `channel-not-found` */
  get(address: bigint): ChannelState {
    return stateOf(this.#channel(address));
  }

  /**
   * Attaches to an address. Attaching twice is the same as attaching once.
   *
   * @returns The channel, and whether it is new
   * @throws {Fault} `guest-dead`, `value-not-allowed` for 0 and above 2^32 - 1,
   * `channels-exhausted`
   */
  async attach(address: bigint): Promise<{ channel: ChannelState; created: boolean }> {
    const wanted = this.#address(address);
    return await this.#serial.run(async () => {
      this.#host.requireAlive();
      const known = this.#channels.get(wanted);
      if (known !== undefined) return { channel: stateOf(known), created: false };
      if (this.#channels.size >= CHANNELS_PER_GUEST_MAX) {
        throw new Fault(
          "channels-exhausted",
          `Cannot attach to ${wanted}: guest "${this.#host.id}" has ${CHANNELS_PER_GUEST_MAX} ` +
            "channels; detach one",
        );
      }
      // The channel must exist before the engine reports its first notify.
      const channel: Channel = { address: wanted, listeners: new Set(), count: 0 };
      this.#channels.set(wanted, channel);
      try {
        await this.#host.attach(wanted);
      } catch (error) {
        this.#channels.delete(wanted);
        throw error;
      }
      this.#host.emit("attached", wanted);
      return { channel: stateOf(channel), created: true };
    });
  }

  /**
   * Detaches from an address and drops its count. An address that is not attached is no error.
   *
   * @throws {Fault} `guest-dead`, `value-not-allowed`
   */
  async detach(address: bigint): Promise<void> {
    const wanted = this.#address(address);
    await this.#serial.run(async () => {
      this.#host.requireAlive();
      const channel = this.#channels.get(wanted);
      if (channel === undefined) return;
      await this.#host.detach(wanted);
      this.#channels.delete(wanted);
      tell(channel, { kind: "closed" });
      this.#host.emit("detached", wanted);
    });
  }

  /**
   * Takes the whole count of a channel, and waits for one when it is 0.
   *
   * @returns The count; 0 when the time is up or the caller went away
   * @throws {Fault} `guest-dead`, `value-not-allowed`, `channel-not-found`, also while it waits
   */
  async drain(
    address: bigint,
    { waitMs, signal }: { readonly waitMs: number; readonly signal?: AbortSignal | undefined },
  ): Promise<number> {
    const look = (): number | undefined => {
      const { count } = this.#channel(address);
      if (count > 0) this.take(address, count);
      return count > 0 ? count : undefined;
    };
    const { clock } = this.#host;
    const listen = (onChange: () => void): () => void => this.listen(address, onChange);
    return await waitUntil(look, { clock, listen, waitMs, signal }) ?? 0;
  }

  /**
   * Takes part of a count, such as what a listener has seen.
   *
   * @returns What is left
   * @throws {Fault} `guest-dead`, `value-not-allowed`, `channel-not-found`
   */
  take(address: bigint, count: number): number {
    const channel = this.#channel(address);
    channel.count = Math.max(0, channel.count - count);
    tell(channel, { kind: "count", count: channel.count });
    return channel.count;
  }

  /**
   * Calls `listener` on every change of a channel until the returned function is called. It must
   * not throw.
   *
   * @throws {Fault} `guest-dead`, `value-not-allowed`, `channel-not-found`
   */
  listen(address: bigint, listener: (change: ChannelChange) => void): () => void {
    const { listeners } = this.#channel(address);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /** Adds what the engine has counted to the channels. */
  add(rings: Rings): void {
    for (const [address, count] of rings) {
      const channel = this.#channels.get(address);
      if (channel === undefined) continue;
      channel.count += count;
      tell(channel, { kind: "count", count: channel.count });
    }
  }

  /** The guest has ended. This ends every wait and reports the end to listeners. */
  close(): void {
    for (const channel of this.#channels.values()) tell(channel, { kind: "closed" });
    this.#channels.clear();
  }

  #address(address: bigint): number {
    this.#host.requireAlive();
    if (address >= 1n && address <= BigInt(U32_MAX)) return Number(address);
    throw new Fault(
      "value-not-allowed",
      `Cannot use channel ${address}: an address is from 1 to ${U32_MAX}`,
    );
  }

  #channel(address: bigint): Channel {
    const channel = this.#channels.get(this.#address(address));
    if (channel !== undefined) return channel;
    throw new Fault(
      "channel-not-found",
      `Cannot find channel ${address} of guest "${this.#host.id}": attach to it first`,
    );
  }
}

function stateOf({ address, count }: Channel): ChannelState {
  return { address, count };
}

function tell({ listeners }: Channel, change: ChannelChange): void {
  // A copy, because a listener may stop listening or start another one.
  for (const listener of [...listeners]) listener(change);
}
