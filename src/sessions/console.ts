import { asFault, type Fault } from "../core/faults.ts";
import { CONSOLE_FRAME_BYTES } from "../core/limits.ts";
import type { Console } from "../guests/linux/console.ts";
import type { Frame, FrameSource } from "./outbox.ts";

/** What a console session tells its client. */
interface ConsoleSink {
  /** Asks the source for a frame when the client has room for one. */
  offer(source: FrameSource): void;
  /** Says that what the guest wrote between these offsets is no longer kept. */
  gap(after: number, before: number): Frame;
  refuse(fault: Fault): void;
  /** The guest has ended, and the client has been sent all that it wrote. */
  ended(): void;
}

/**
 * One client's view of a guest's console. It reads at its own pace from what is kept, so one that
 * does not read costs nothing here and loses only what it did not fetch in time.
 */
export class ConsoleSession {
  readonly #console: Console;
  readonly #sink: ConsoleSink;
  readonly #stop: () => void;
  #at: number;
  #isOver = false;

  /** @param since Offset from which on the client wants to know */
  constructor(console: Console, sink: ConsoleSink, since: number) {
    this.#console = console;
    this.#sink = sink;
    this.#at = since;
    this.#stop = console.listen(() => this.#offer());
  }

  /** Begins to tell. */
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

  /** The connection ended; the guest does not notice. */
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
