import type { Problem } from "../wire/problem.ts";
import { WATCH_PROTOCOL } from "../wire/subprotocols.ts";
import { ConnectError } from "./connect_error.ts";
import { ProblemError } from "./problem_error.ts";

/** A frame of the daemon. */
export interface Frame {
  readonly type: string;
  readonly id?: number;
  readonly problem?: Problem;
  readonly [member: string]: unknown;
}

/** How a connection is made, and who hears of it. */
export interface ConnectionParts {
  /** Opens a WebSocket to `/v1/watch` with the given subprotocol. */
  readonly open: (protocol: string, signal: AbortSignal) => WebSocket | Promise<WebSocket>;
  /** Finds out why a WebSocket was not opened; runtimes do not tell. */
  readonly whyRefused?: (signal: AbortSignal) => Promise<ProblemError | undefined>;
  /** Time for a connection to be made, up to the daemon's first frame, in milliseconds. */
  readonly connectMs?: number | undefined;
  readonly onFrame: (frame: Frame) => void;
  /** The connection is lost, or could not be made. Another one will be tried. */
  readonly onLost: (detail: string) => void;
  /** The daemon does not let this client in, and asking again would not help. */
  readonly onRefused: (error: Error) => void;
}

const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 5_000;
const CONNECT_MS = 10_000;
/** `WebSocket.OPEN`; Node 20 does not know that name. */
const OPEN = 1;
/** How often the daemon pings, unless it says so itself. */
const HEARTBEAT_MS = 15_000;
/** What is believed of how often the daemon pings: no less, and no more. */
const HEARTBEAT_MS_MIN = 50;
const HEARTBEAT_MS_MAX = 600_000;

/** A watch socket that is made again whenever it is lost, until it is closed. */
export class WatchConnection {
  readonly #parts: ConnectionParts;
  #socket: WebSocket | undefined;
  /** Of the current socket, or of the try to make one; aborted when that is over. */
  #attempt = new AbortController();
  /** Whether the daemon has said anything on it. */
  #isHeard = false;
  #silenceMs = 2 * HEARTBEAT_MS;
  #retryMs = RETRY_MS_MIN;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isClosed = false;

  constructor(parts: ConnectionParts) {
    this.#parts = parts;
    void this.#connect();
  }

  get isOpen(): boolean {
    return this.#socket?.readyState === OPEN;
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
    if (this.#socket !== undefined) this.#lost(this.#attempt, detail);
  }

  /** Gives the connection up, and makes another one at once. */
  renewNow(detail: string): void {
    this.#retryMs = 0;
    this.renew(detail);
  }

  /** Makes a connection at once, where the next try would be later. */
  hurry(): void {
    if (this.#isClosed || !this.#attempt.signal.aborted) return;
    clearTimeout(this.#timer);
    void this.#connect();
  }

  close(): void {
    this.#isClosed = true;
    this.#drop();
  }

  async #connect(): Promise<void> {
    const attempt = new AbortController();
    this.#attempt = attempt;
    this.#isHeard = false;
    const { open, connectMs = CONNECT_MS } = this.#parts;
    this.#timer = setTimeout(
      () => this.#lost(attempt, `no answer within ${connectMs} ms`),
      connectMs,
    );
    try {
      const socket = await open(WATCH_PROTOCOL, attempt.signal);
      if (attempt.signal.aborted) return discard(socket);
      this.#socket = socket;
      socket.onmessage = ({ data }) => this.#receive(attempt, String(data));
      socket.onclose = ({ code, reason }) =>
        void this.#ended(attempt, reason || `closed with ${code}`);
      // Some runtimes say a little more than the event that they should send.
      socket.onerror = ({ message = "" }: Event & { readonly message?: string }) =>
        void this.#ended(attempt, `the connection failed${message && `: ${message}`}`);
    } catch (error) {
      this.#failed(attempt, error);
    }
  }

  #receive(attempt: AbortController, text: string): void {
    let frame: Frame;
    try {
      frame = JSON.parse(text);
    } catch {
      return this.#lost(attempt, "what came is no frame: is this a daemon of Innkeeper?");
    }
    this.#isHeard = true;
    if (frame.type === "hello") this.#silenceMs = 2 * heartbeatOf(frame);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => this.#lost(attempt, `silent for ${this.#silenceMs} ms`),
      this.#silenceMs,
    );
    if (frame.type === "ping") this.send({ type: "pong", at: frame["at"] });
    else this.#parts.onFrame(frame);
  }

  /** The socket is closed. If it never was open, the reason has to be asked for. */
  async #ended(attempt: AbortController, detail: string): Promise<void> {
    const { whyRefused } = this.#parts;
    if (this.#isHeard || whyRefused === undefined) return this.#lost(attempt, detail);
    if (this.#socket !== undefined) discard(this.#socket);
    const refusal = await whyRefused(attempt.signal).catch(() => undefined);
    if (refusal === undefined) this.#lost(attempt, detail);
    else this.#failed(attempt, refusal);
  }

  /** A connection could not be made. */
  #failed(attempt: AbortController, error: unknown): void {
    const reason = error instanceof Error ? error : new Error(String(error));
    if (attempt.signal.aborted || !isFinal(reason)) return this.#lost(attempt, reason.message);
    this.close();
    this.#parts.onRefused(reason);
  }

  #lost(attempt: AbortController, detail: string): void {
    if (attempt.signal.aborted) return;
    this.#drop();
    this.#parts.onLost(detail);
    if (this.#isClosed) return;
    // Spread out, so that a thousand watchers do not come back in the same instant.
    const delayMs = this.#retryMs * (0.5 + Math.random());
    this.#retryMs = Math.min(Math.max(this.#retryMs * 2, RETRY_MS_MIN), RETRY_MS_MAX);
    this.#timer = setTimeout(() => void this.#connect(), delayMs);
  }

  /** Ends the current connection, or the try to make one. */
  #drop(): void {
    clearTimeout(this.#timer);
    this.#attempt.abort();
    if (this.#socket !== undefined) discard(this.#socket);
    this.#socket = undefined;
  }
}

/**
 * Closes a socket of which nothing is to be heard any more. A listener for errors has to stay: `ws`
 * ends the process without one, and Node 22 calls it again from within `close`.
 */
function discard(socket: WebSocket): void {
  socket.onmessage = null;
  socket.onclose = null;
  socket.onerror = () => {};
  socket.close();
}

/** Whether asking again cannot help, as far as one can know. A proxy's errors may pass. */
function isFinal(error: Error): boolean {
  if (!(error instanceof ProblemError)) return error instanceof ConnectError;
  const { status, type, retryable } = error.problem;
  const isOurs = String(type).startsWith("/problems/");
  return status === 401 || status === 403 || isOurs && status < 500 && !retryable;
}

/** How often the daemon pings, in milliseconds. */
function heartbeatOf({ heartbeatMs }: Frame): number {
  if (typeof heartbeatMs !== "number") return HEARTBEAT_MS;
  return Math.min(Math.max(heartbeatMs, HEARTBEAT_MS_MIN), HEARTBEAT_MS_MAX);
}
