/** A guest's console over a WebSocket of `innkeeper.console.v1`: type, and wait for what comes. */
export class GuestConsole {
  /** What has come and was not waited for yet. */
  text = "";
  /** What the daemon said beside: gaps, and input that was not taken. */
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

  /** @throws {Error} when the daemon refuses */
  async opened(): Promise<this> {
    if (this.socket.readyState === WebSocket.OPEN) return this;
    await new Promise<void>((resolve, reject) => {
      this.socket.addEventListener("open", () => resolve(), { once: true });
      this.socket.addEventListener("error", () => reject(new Error("the console is refused")), {
        once: true,
      });
    });
    return this;
  }

  /** Types this. */
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
          throw new Error(`no ${JSON.stringify(text)} on the console: ${JSON.stringify(end)}`);
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
