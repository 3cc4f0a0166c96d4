import { REPLIES_WAITING_MAX, SLOW_SOCKET_MS } from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";

/** A frame to send: text, or bytes. */
export type Frame = string | Uint8Array<ArrayBuffer>;

/** The side of a WebSocket that an outbox writes to. */
export interface OutboxSocket {
  readonly bufferedAmount: number;
  send(frame: Frame): void;
}

const RETRY_MS_MIN = 1;
const RETRY_MS_MAX = 50;

/**
 * What waits to be sent to one client: replies in order, and one slot a topic that holds only the
 * newest message. Nothing is written to a socket that still has unsent bytes, so a client that
 * does not read costs a bounded amount of memory, and is given up after a while.
 */
export class Outbox {
  readonly #socket: OutboxSocket;
  readonly #clock: Clock;
  readonly #onTooSlow: () => void;
  #replies: Frame[] = [];
  readonly #slots = new Map<string, Frame>();
  #flushing = false;
  #closed = false;
  #blockedSinceMs: number | undefined;
  #retryMs = RETRY_MS_MIN;
  #cancelRetry: (() => void) | undefined;

  /** @param onTooSlow Called once when the client does not read what it is sent */
  constructor(socket: OutboxSocket, clock: Clock, onTooSlow: () => void) {
    this.#socket = socket;
    this.#clock = clock;
    this.#onTooSlow = onTooSlow;
  }

  /** Sends a reply after the earlier ones. */
  reply(frame: Frame): void {
    if (this.#replies.length >= REPLIES_WAITING_MAX) return this.#giveUp();
    this.#replies.push(frame);
    this.#flushSoon();
  }

  /** Sends the newest message of a topic; an older one that still waits is forgotten. */
  offer(topic: string, frame: Frame): void {
    this.#slots.delete(topic);
    this.#slots.set(topic, frame);
    this.#flushSoon();
  }

  /** Forgets what waits for a topic. */
  withdraw(topic: string): void {
    this.#slots.delete(topic);
  }

  /** Sends nothing more. */
  close(): void {
    this.#closed = true;
    this.#replies = [];
    this.#slots.clear();
    this.#cancelRetry?.();
  }

  #flushSoon(): void {
    if (this.#flushing || this.#closed) return;
    this.#flushing = true;
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    if (this.#closed) return;
    if (this.#socket.bufferedAmount > 0) return this.#retryLater();
    this.#flushing = false;
    this.#blockedSinceMs = undefined;
    this.#retryMs = RETRY_MS_MIN;
    const replies = this.#replies;
    this.#replies = [];
    for (const frame of replies) this.#socket.send(frame);
    for (const frame of this.#slots.values()) this.#socket.send(frame);
    this.#slots.clear();
  }

  #retryLater(): void {
    const nowMs = this.#clock.monotonicMs();
    this.#blockedSinceMs ??= nowMs;
    if (nowMs - this.#blockedSinceMs >= SLOW_SOCKET_MS) return this.#giveUp();
    this.#cancelRetry = this.#clock.after(this.#retryMs, () => this.#flush());
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS_MAX);
  }

  #giveUp(): void {
    if (this.#closed) return;
    this.close();
    this.#onTooSlow();
  }
}
