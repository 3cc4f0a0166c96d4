import type { Problem } from "../wire/problem.ts";
import { WATCH_PROTOCOL } from "../wire/subprotocols.ts";

/** A frame of the daemon. */
export interface Frame {
  readonly type: string;
  readonly id?: number;
  readonly problem?: Problem;
  readonly [member: string]: unknown;
}

/** How a connection is made, and who hears of it. */
interface ConnectionParts {
  /** Opens a WebSocket to `/v1/watch` with the given subprotocol. */
  readonly open: (protocol: string) => WebSocket | Promise<WebSocket>;
  readonly onFrame: (frame: Frame) => void;
  /** The connection is lost, or could not be made. Another one will be tried. */
  readonly onLost: (detail: string) => void;
}

const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 5_000;
/** The daemon pings more often than this, so silence for so long means that it is gone. */
const SILENCE_MS = 45_000;

/** A watch socket that is made again whenever it is lost, until it is closed. */
export class WatchConnection {
  readonly #parts: ConnectionParts;
  #socket: WebSocket | undefined;
  #retryMs = RETRY_MS_MIN;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
    void this.#connect();
  }

  get isOpen(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  /** Sends a frame; it is dropped while there is no connection. */
  send(frame: Readonly<Record<string, unknown>>): void {
    if (this.isOpen) this.#socket?.send(JSON.stringify(frame));
  }

  /** The daemon has accepted what was sent: if this connection is lost, the next one comes soon. */
  accepted(): void {
    this.#retryMs = RETRY_MS_MIN;
  }

  /** Gives the connection up, and makes another one after a while. */
  renew(detail: string): void {
    if (this.#socket !== undefined) this.#lost(this.#socket, detail);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
    this.#socket = undefined;
  }

  async #connect(): Promise<void> {
    try {
      const socket = await this.#parts.open(WATCH_PROTOCOL);
      if (this.#isClosed) return socket.close();
      this.#socket = socket;
      socket.onmessage = ({ data }) => this.#receive(socket, JSON.parse(String(data)));
      socket.onclose = ({ code, reason }) => this.#lost(socket, reason || `closed with ${code}`);
      socket.onerror = () => socket.close();
    } catch (error) {
      this.#retry(error instanceof Error ? error.message : String(error));
    }
  }

  #receive(socket: WebSocket, frame: Frame): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#lost(socket, "silent for too long"), SILENCE_MS);
    if (frame.type === "ping") this.send({ type: "pong", at: frame["at"] });
    else this.#parts.onFrame(frame);
  }

  #lost(socket: WebSocket, detail: string): void {
    if (socket !== this.#socket) return;
    this.#socket = undefined;
    socket.onclose = null;
    socket.close();
    this.#retry(detail);
  }

  #retry(detail: string): void {
    clearTimeout(this.#timer);
    this.#parts.onLost(detail);
    if (this.#isClosed) return;
    // Spread out, so that a thousand watchers do not come back in the same instant.
    const delayMs = this.#retryMs * (0.5 + Math.random());
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS_MAX);
    this.#timer = setTimeout(() => void this.#connect(), delayMs);
  }
}
