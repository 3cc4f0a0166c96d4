import { HEAD_LOOK_MS_MAX, REQUEST_HEAD_BYTES_MAX } from "../core/limits.ts";
import type { HostSocket } from "../core/ports/host_socket.ts";
import { type HeadLook, lookAtHead } from "./request_head.ts";

/** What came of a connection: its head, or its end. */
type HeadOutcome = Exclude<HeadLook, { kind: "unfinished" }> | { readonly kind: "over" };

interface Waiting {
  readonly socket: HostSocket;
  readonly done: (outcome: HeadOutcome) => void;
  /** Bytes that had come at the last look. */
  seen: number;
}

const OVER = { kind: "over" } as const;

/**
 * Connections whose first request has not come whole. They are looked at together, the sooner the
 * newer the newest of them is: who connects mostly sends at once.
 */
export class HeadWait {
  readonly #waiting = new Set<Waiting>();
  readonly #buffer = new Uint8Array(REQUEST_HEAD_BYTES_MAX);
  #timer: ReturnType<typeof setTimeout> | undefined;
  #pauseMs = 1;

  /**
   * Waits for the head of a connection, which may be there already.
   *
   * @param done Called once, not before this returns
   * @returns What gives the connection up
   */
  add(socket: HostSocket, done: (outcome: HeadOutcome) => void): { end(): void } {
    const one: Waiting = { socket, done, seen: 0 };
    this.#waiting.add(one);
    this.#pauseMs = 1;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#lookAtAll(), 0);
    queueMicrotask(() => this.#look(one));
    return { end: () => this.#finish(one, OVER) };
  }

  /** Gives all up. */
  stop(): void {
    for (const one of this.#waiting) this.#finish(one, OVER);
    clearTimeout(this.#timer);
  }

  #lookAtAll(): void {
    this.#timer = undefined;
    for (const one of this.#waiting) this.#look(one);
    if (this.#waiting.size === 0) return;
    this.#pauseMs = Math.min(this.#pauseMs * 1.5, HEAD_LOOK_MS_MAX);
    this.#timer = setTimeout(() => this.#lookAtAll(), this.#pauseMs);
  }

  #look(one: Waiting): void {
    if (!this.#waiting.has(one)) return;
    const count = one.socket.peek(this.#buffer);
    if (count === undefined || count === one.seen && count > 0) return;
    one.seen = count;
    const look = count === 0 ? OVER : lookAtHead(this.#buffer.subarray(0, count));
    if (look.kind !== "unfinished") this.#finish(one, look);
  }

  #finish(one: Waiting, outcome: HeadOutcome): void {
    if (this.#waiting.delete(one)) one.done(outcome);
  }
}
