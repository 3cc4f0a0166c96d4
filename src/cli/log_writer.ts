import { LOG_WAITING_BYTES_MAX } from "../core/limits.ts";

/** Where lines go; it may take them slowly, or not at all. */
interface LineSink {
  write(bytes: Uint8Array): Promise<number>;
}

/**
 * Writes lines without ever waiting for who reads them: a full pipe would hold the whole daemon up.
 * A bounded amount waits; what comes then is dropped, and counted.
 */
export class LogWriter {
  readonly #sink: LineSink;
  readonly #droppedLine: (count: number) => string;
  readonly #encoder = new TextEncoder();
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #dropped = 0;
  #isClosed = false;
  #writing: Promise<void> | undefined;

  /** @param droppedLine The line that says how many were dropped, once there is room again */
  constructor(sink: LineSink, droppedLine: (count: number) => string) {
    this.#sink = sink;
    this.#droppedLine = droppedLine;
  }

  /** Writes a line soon, or counts it as dropped. */
  write(line: string): void {
    const bytes = this.#encoder.encode(line);
    if (this.#isClosed) return;
    if (this.#waitingBytes + bytes.byteLength > LOG_WAITING_BYTES_MAX) {
      this.#dropped++;
      return;
    }
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.byteLength;
    this.#writing ??= this.#writeAll();
  }

  /** Resolves when all that waits is written. */
  async flush(): Promise<void> {
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    for (let line = this.#next(); line !== undefined; line = this.#next()) {
      try {
        let rest = line;
        while (rest.byteLength > 0) rest = rest.subarray(await this.#sink.write(rest));
      } catch {
        // Nobody reads any more, and there is nobody to tell.
        this.#isClosed = true;
        this.#waiting = [];
      }
      this.#waitingBytes -= line.byteLength;
    }
    this.#writing = undefined;
  }

  #next(): Uint8Array | undefined {
    if (this.#dropped > 0 && !this.#isClosed && this.#waitingBytes < LOG_WAITING_BYTES_MAX / 2) {
      const bytes = this.#encoder.encode(this.#droppedLine(this.#dropped));
      this.#dropped = 0;
      this.#waitingBytes += bytes.byteLength;
      this.#waiting.push(bytes);
    }
    return this.#waiting.shift();
  }
}
