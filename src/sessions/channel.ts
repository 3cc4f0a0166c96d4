import { asFault, Fault } from "../core/faults.ts";
import { CHANNELS_PER_CONNECTION_MAX, REPLIES_WAITING_MAX } from "../core/limits.ts";
import type { Channels } from "../guests/guest/channels.ts";
import type { Guests } from "../guests/guests.ts";
import type { Principal } from "../access/tokens.ts";
import type { RequestOf } from "./subscription.ts";
import type { WatchSink } from "./watch_sink.ts";

/** A request about a guest's channel, already checked. */
type ChannelRequest = RequestOf<"attach" | "drain">;

interface Listening {
  readonly channels: Channels;
  readonly stop: () => void;
}

/**
 * One connection's guest channels. The client gets the newest count of each until it drains that
 * count, as an eventfd stays readable.
 */
export class ChannelSession {
  readonly #guests: Guests;
  readonly #principal: Principal;
  readonly #sink: WatchSink;
  readonly #listening = new Map<string, Listening>();
  #serving = 0;
  #isOver = false;

  constructor(guests: Guests, principal: Principal, sink: WatchSink) {
    this.#guests = guests;
    this.#principal = principal;
    this.#sink = sink;
  }

  /**
   * Takes a request. Each is answered once.
   *
   * @returns `false` when the client sends faster than it is served and must be cut off
   */
  receive(request: ChannelRequest): boolean {
    if (this.#serving >= REPLIES_WAITING_MAX) return false;
    this.#serving++;
    void this.#serve(request).finally(() => this.#serving--);
    return true;
  }

  /** The connection ended. The channels stay for others. */
  end(): void {
    this.#isOver = true;
    for (const { stop } of this.#listening.values()) stop();
    this.#listening.clear();
  }

  async #serve(request: ChannelRequest): Promise<void> {
    try {
      this.#principal.require("guest", { kind: "guests", name: request.guest });
      if (request.type === "attach") await this.#attach(request);
      else this.#drain(request);
    } catch (error) {
      this.#sink.refuse(request.id, asFault(error));
    }
  }

  async #attach({ id, guest, address, owner }: RequestOf<"attach">): Promise<void> {
    const topic = topicOf(guest, address);
    const isAdmin = this.#principal.may("admin");
    const { channels, owner: holder } = this.#guests.owned(guest, owner, isAdmin);
    if (!this.#listening.has(topic) && this.#listening.size >= CHANNELS_PER_CONNECTION_MAX) {
      throw new Fault(
        "channels-exhausted",
        `Cannot attach to ${address}: one connection may follow ${CHANNELS_PER_CONNECTION_MAX} ` +
          "channels",
      );
    }
    const { channel } = await channels.attach(BigInt(address));
    if (this.#isOver) return;
    // Somebody else may have become the owner meanwhile.
    this.#guests.owned(guest, owner, isAdmin);
    this.#listening.get(topic)?.stop();
    const unlisten = channels.listen(BigInt(address), (change) => {
      if (change.kind === "count") this.#offer(guest, address, change.count);
      else this.#forget(topic);
    });
    const unfollow = isAdmin ? () => {} : holder.onChange(() => {
      stop();
      this.#forget(topic);
    });
    const stop = (): void => {
      unlisten();
      unfollow();
    };
    this.#listening.set(topic, { channels, stop });
    this.#sink.reply({ type: "attached", id });
    this.#offer(guest, address, channel.count);
  }

  #drain(request: RequestOf<"drain">): void {
    const { id, guest, address, count } = request;
    const listening = this.#listening.get(topicOf(guest, address));
    if (listening === undefined) {
      throw new Fault(
        "channel-not-found",
        `Cannot drain ${address} of guest "${guest}": this connection is not attached to it`,
      );
    }
    const left = listening.channels.take(BigInt(address), count);
    this.#sink.reply({ type: "drained", id, count: left });
  }

  #offer(guest: string, address: number, count: number): void {
    const topic = topicOf(guest, address);
    if (count === 0) return this.#sink.withdraw(topic);
    this.#sink.offer(topic, { type: "notify", guest, address, count }, "change");
  }

  #forget(topic: string): void {
    this.#listening.delete(topic);
    this.#sink.withdraw(topic);
  }
}

function topicOf(guest: string, address: number): string {
  return `notify ${guest} ${address}`;
}
