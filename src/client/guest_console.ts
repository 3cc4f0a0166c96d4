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
    socket.addEventListener("message", ({ data }: MessageEvent<string | ArrayBuffer>) => {
      if (typeof data === "string") this.frames.push(JSON.parse(data));
      else this.text += this.#decoder.decode(data, { stream: true });
      this.#wake();
    });
  }

  /**
   * Waits until the console is open.
   *
   * @throws {Error} when the daemon refuses it
   */
  async opened(): Promise<this> {
    if (this.socket.readyState === WebSocket.OPEN) return this;
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
        if (isLate || this.socket.readyState === WebSocket.CLOSED) {
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
