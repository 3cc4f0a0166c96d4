import type { SocketEndpoint } from "./endpoint.ts";
import { SocketOpener } from "./socket_opener.ts";
import { CONSOLE_PROTOCOL } from "../wire/subprotocols.ts";

// The values of `readyState`, which Node 20 has no names for.
const OPEN = 1;
const CLOSED = 3;

/** A guest's console over a WebSocket of `innkeeper.console.v1`: send text, and wait for text. */
export class GuestConsole {
  /** The text that has come and was not waited for yet. */
  text = "";
  /** Frames of the daemon itself: gaps in the text, and refusals of input. */
  readonly frames: unknown[] = [];
  /** Resolves with the close code. */
  readonly closed: Promise<number>;
  readonly #decoder = new TextDecoder();
  #wake = (): void => {};

  /** @param socket One that has just been made */
  constructor(readonly socket: WebSocket) {
    socket.binaryType = "arraybuffer";
    this.closed = new Promise((resolve) => {
      socket.addEventListener("close", ({ code }) => {
        resolve(code);
        this.#wake();
      });
    });
    // It stays, because `ws` ends the process at an error that nobody listens to.
    socket.addEventListener("error", () => this.#wake());
    socket.addEventListener("message", ({ data }: MessageEvent<string | ArrayBuffer>) => {
      if (typeof data === "string") this.frames.push(JSON.parse(data));
      else this.text += this.#decoder.decode(data, { stream: true });
      this.#wake();
    });
  }

  /**
   * Opens a guest's console.
   *
   * @param since Offset of the output from which on it is sent; what comes from now on by default
   * @throws {ProblemError} when the daemon refuses it
   * @throws {UnreachableError} when it does not answer
   * @throws {ConnectError} when no connection can be made with what was given
   */
  static async connect(
    endpoint: SocketEndpoint,
    guest: string,
    since?: number,
  ): Promise<GuestConsole> {
    const query = since === undefined ? "" : `?since=${since}`;
    const path = `/v1/guests/${encodeURIComponent(guest)}/console${query}`;
    const opener = new SocketOpener(endpoint, path);
    const socket = await opener.open(CONSOLE_PROTOCOL);
    try {
      return await new GuestConsole(socket).opened();
    } catch (error) {
      throw await opener.whyRefused() ?? error;
    }
  }

  /**
   * Waits until the console is open.
   *
   * @throws {Error} when the daemon refuses it
   */
  async opened(): Promise<this> {
    if (this.socket.readyState === OPEN) return this;
    await new Promise<void>((resolve, reject) => {
      this.socket.addEventListener("open", () => resolve(), { once: true });
      this.socket.addEventListener(
        "error",
        () => reject(new Error(`Cannot open the console at ${this.socket.url}: it was refused`)),
        {
          once: true,
        },
      );
    });
    return this;
  }

  /** Sends a text, as if it was typed. */
  send(text: string): void {
    this.socket.send(new TextEncoder().encode(text));
  }

  /**
   * Waits for a text and returns what came before it; what comes after it stays for later.
   *
   * @param withinMs How long to wait, in milliseconds
   * @throws {Error} when it has not come in time, or the console was closed
   */
  async until(text: string, withinMs: number): Promise<string> {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.#wake();
    }, withinMs);
    try {
      for (;;) {
        const at = this.text.indexOf(text);
        if (at >= 0) {
          const before = this.text.slice(0, at);
          this.text = this.text.slice(at + text.length);
          return before;
        }
        if (isLate || this.socket.readyState === CLOSED) {
          const end = this.text.slice(-500);
          throw new Error(
            `Cannot find ${JSON.stringify(text)} on the console: ${JSON.stringify(end)}`,
          );
        }
        await new Promise<void>((resolve) => this.#wake = resolve);
      }
    } finally {
      clearTimeout(timer);
    }
  }

  async close(): Promise<void> {
    this.socket.close();
    await this.closed;
  }
}
