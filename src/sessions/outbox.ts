import { REPLIES_WAITING_MAX, SLOW_SOCKET_MS } from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { Sender, SendTurns, Urgency } from "./send_turns.ts";

/** A frame of text or bytes. */
export type Frame = string | Uint8Array<ArrayBuffer>;

/** Makes a frame at the moment when the socket has room for it; nothing if none is due. */
export type FrameSource = () => Frame | undefined;

/** What an outbox needs of a WebSocket. */
interface OutboxSocket {
  /** 0 while it connects, 1 while it is open. */
  readonly readyState: number;
  readonly bufferedAmount: number;
  send(frame: Frame): void;
}

/** What an outbox works with. */
interface OutboxParts {
  readonly socket: OutboxSocket;
  readonly clock: Clock;
  readonly turns: SendTurns;
  /** Called once when the client does not read what it is sent. */
  readonly onTooSlow: () => void;
}

interface Slot {
  readonly frame: Frame | FrameSource;
  readonly onSent: (() => void) | undefined;
}

const CONNECTING = 0;
const OPEN = 1;
const RETRY_MS_MIN = 1;
const RETRY_MS_MAX = 50;

/**
 * Messages that wait to be sent to one client: replies in their order, and for each topic a slot
 * that holds only the newest message. Nothing is written to a socket that still has unsent bytes,
 * so a client that does not read costs a bounded amount of memory. It is cut off after a while.
 */
export class Outbox implements Sender {
  readonly #parts: OutboxParts;
  #replies: Frame[] = [];
  readonly #slots = new Map<string, Slot>();
  #isClosed = false;
  #blockedSinceMs: number | undefined;
  #retryMs = RETRY_MS_MIN;
  #cancelRetry: (() => void) | undefined;

  constructor(parts: OutboxParts) {
    this.#parts = parts;
  }

  /** Sends a reply, after the earlier ones. */
  reply(frame: Frame): void {
    if (this.#isClosed) return;
    if (this.#replies.length >= REPLIES_WAITING_MAX) return this.#giveUp();
    this.#replies.push(frame);
    this.#takeTurn("answer");
  }

  /**
   * Sends the newest message of a topic, in place of an older one that still waits. A source is
   * called once, when there is room, and may offer itself again then.
   *
   * @param onSent Called when it is written to the socket
   */
  offer(
    topic: string,
    frame: Frame | FrameSource,
    urgency: Urgency,
    onSent?: () => void,
  ): void {
    if (this.#isClosed) return;
    this.#slots.delete(topic);
    this.#slots.set(topic, { frame, onSent });
    this.#takeTurn(urgency);
  }

  /** Drops the message of a topic that still waits. */
  withdraw(topic: string): void {
    this.#slots.delete(topic);
  }

  /** The socket is open now. Sends what has waited for that. */
  opened(): void {
    if (this.#replies.length > 0 || this.#slots.size > 0) this.#takeTurn("change");
  }

  flush(): void {
    const { socket } = this.#parts;
    if (socket.readyState === CONNECTING) return;
    // A frame would throw on a socket that is closing. Its end is noticed elsewhere.
    if (socket.readyState !== OPEN) return this.close();
    if (socket.bufferedAmount > 0) return this.#retryLater();
    this.#blockedSinceMs = undefined;
    this.#retryMs = RETRY_MS_MIN;
    const replies = this.#replies;
    this.#replies = [];
    for (const frame of replies) socket.send(frame);
    const slots = [...this.#slots.values()];
    this.#slots.clear();
    for (const { frame: offered, onSent } of slots) {
      const frame = typeof offered === "function" ? offered() : offered;
      if (frame === undefined) continue;
      socket.send(frame);
      onSent?.();
    }
  }

  /** Drops everything, and sends nothing more. */
  close(): void {
    this.#isClosed = true;
    this.#replies = [];
    this.#slots.clear();
    this.#parts.turns.delete(this);
    this.#cancelRetry?.();
  }

  #takeTurn(urgency: Urgency): void {
    if (this.#cancelRetry === undefined) this.#parts.turns.add(this, urgency);
  }

  #retryLater(): void {
    const { clock, turns } = this.#parts;
    const nowMs = clock.monotonicMs();
    this.#blockedSinceMs ??= nowMs;
    if (nowMs - this.#blockedSinceMs >= SLOW_SOCKET_MS) return this.#giveUp();
    this.#cancelRetry = clock.after(this.#retryMs, () => {
      this.#cancelRetry = undefined;
      turns.add(this, "news");
    });
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS_MAX);
  }

  #giveUp(): void {
    this.close();
    this.#parts.onTooSlow();
  }
}
