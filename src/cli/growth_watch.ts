import {
  SOCKET_CLOSING_MS,
  SOCKET_LOOK_MS,
  SOCKET_LOOKS_PER_TURN,
  SOCKET_SUSPECT_LOOK_MS,
  SOCKET_UNFINISHED_BYTES_MAX,
  SOCKET_UNREAD_LOOKS,
} from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { HostSocket } from "../core/ports/host_socket.ts";

const CLOSING = 2;

/** One WebSocket that is watched. */
interface Watched {
  readonly webSocket: Pick<WebSocket, "readyState">;
  readonly socket: HostSocket;
  /** A whole message came since the last look. */
  heard: boolean;
  /** Bytes that had come at the last look after which a message came. */
  base: bigint;
  /** Looks at which bytes were unread and no message had come. */
  unread: number;
  closingSinceMs: number | undefined;
}

/**
 * Ends WebSockets that would grow without bound or never go: Deno collects a message of many frames
 * whole, and keeps what it could not send, until the connection is gone. Nothing but the host can
 * end that (docs/bounds.md#memory).
 */
export class GrowthWatch {
  readonly #clock: Clock;
  /** Those that were looked at longest ago come first. */
  readonly #watched = new Set<Watched>();
  readonly #byte = new Uint8Array(1);
  #cancel: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Watches a WebSocket until it is closed. */
  add(webSocket: WebSocket, socket: HostSocket): void {
    const one: Watched = {
      ...{ webSocket, socket, heard: false, unread: 0, closingSinceMs: undefined },
      base: socket.receivedBytes() ?? 0n,
    };
    this.#watched.add(one);
    webSocket.addEventListener("message", () => one.heard = true);
    for (const end of ["close", "error"]) {
      webSocket.addEventListener(end, () => this.#watched.delete(one));
    }
    this.#cancel ??= this.#clock.after(SOCKET_LOOK_MS, () => this.#turn());
  }

  #turn(): void {
    let hasSuspects = false;
    // Who is put back comes last, and is not looked at again in this turn.
    let looks = Math.min(this.#watched.size, SOCKET_LOOKS_PER_TURN);
    for (const one of this.#watched) {
      if (looks-- === 0) break;
      this.#watched.delete(one);
      if (this.#isTooMuch(one)) {
        one.socket.shutdown();
        continue;
      }
      this.#watched.add(one);
      hasSuspects ||= one.unread > 0;
    }
    this.#cancel = this.#watched.size === 0 ? undefined : this.#clock.after(
      hasSuspects ? SOCKET_SUSPECT_LOOK_MS : SOCKET_LOOK_MS,
      () => this.#turn(),
    );
  }

  #isTooMuch(one: Watched): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (one.webSocket.readyState === CLOSING) one.closingSinceMs ??= nowMs;
    if (nowMs - (one.closingSinceMs ?? nowMs) >= SOCKET_CLOSING_MS) return true;
    const received = one.socket.receivedBytes();
    const { heard } = one;
    one.heard = false;
    if (received !== undefined) {
      if (heard) one.base = received;
      return received - one.base > SOCKET_UNFINISHED_BYTES_MAX;
    }
    // The host does not count bytes of a unix socket. Who sends an endless message always has some
    // under way.
    const isUnread = (one.socket.peek(this.#byte) ?? 0) > 0;
    one.unread = isUnread && !heard ? one.unread + 1 : 0;
    return one.unread >= SOCKET_UNREAD_LOOKS;
  }
}
