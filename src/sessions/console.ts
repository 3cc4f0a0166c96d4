import { asFault, type Fault } from "../core/faults.ts";
import { CONSOLE_FRAME_BYTES } from "../core/limits.ts";
import type { Console } from "../guests/linux/console.ts";
import type { Frame, FrameSource } from "./outbox.ts";

/** What a console session needs of its connection. */
interface ConsoleSink {
  /** Takes a frame from the source when the client has room for one. */
  offer(source: FrameSource): void;
  /** The frame that says that the output between these offsets was overwritten. */
  gap(after: number, before: number): Frame;
  refuse(fault: Fault): void;
  /** The guest has ended, and the client has been sent all that it wrote. */
  ended(): void;
}

/**
 * One client's view of a guest's console. It reads the stored output at its own pace. A client that
 * does not read costs nothing here, and loses only what was overwritten meanwhile.
 */
export class ConsoleSession {
  readonly #console: Console;
  readonly #sink: ConsoleSink;
  readonly #stop: () => void;
  #at: number;
  #isOver = false;

  /** @param since Offset at which the client begins to read */
  constructor(console: Console, sink: ConsoleSink, since: number) {
    this.#console = console;
    this.#sink = sink;
    this.#at = since;
    this.#stop = console.listen(() => this.#offer());
  }

  /** Begins to send. */
  start(): void {
    this.#offer();
  }

  /** The client has typed this. */
  receive(bytes: Uint8Array): void {
    try {
      this.#console.type(bytes);
    } catch (error) {
      this.#sink.refuse(asFault(error));
    }
  }

  /** The connection ended. The guest does not notice. */
  end(): void {
    this.#isOver = true;
    this.#stop();
  }

  #offer(): void {
    if (!this.#isOver) this.#sink.offer(this.#next);
  }

  readonly #next: FrameSource = () => {
    if (this.#isOver) return undefined;
    const after = this.#at;
    const { start, bytes } = this.#console.read(after, CONSOLE_FRAME_BYTES);
    if (bytes.length === 0 && start <= after) {
      if (this.#console.isOver) this.#sink.ended();
      return undefined;
    }
    this.#offer();
    if (start > after) {
      this.#at = start;
      return this.#sink.gap(after, start);
    }
    this.#at += bytes.length;
    return bytes;
  };
}
