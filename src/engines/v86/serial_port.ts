import { SERIAL_BACKLOG_BYTES } from "../../core/limits.ts";
import type { Uart } from "./cpu.ts";

const FIFO_BYTES = 16;

interface Sending {
  readonly bytes: Uint8Array;
  at: number;
  readonly done: () => void;
}

/** One serial line of a PC: what the guest writes is gathered, what it is sent waits its turn. */
export class SerialPort {
  readonly #uart: Uart;
  readonly #tell: (bytes: Uint8Array<ArrayBuffer>) => void;
  readonly #output = new Uint8Array(SERIAL_BACKLOG_BYTES);
  #length = 0;
  #isTelling = false;
  readonly #input: Sending[] = [];

  /** @param tell Called with what the guest has written; not again before {@linkcode heard} */
  constructor(uart: Uart, tell: (bytes: Uint8Array<ArrayBuffer>) => void) {
    this.#uart = uart;
    this.#tell = tell;
  }

  /** The guest has written a byte. */
  wrote(byte: number): void {
    // The loop holds the guest long before; what it writes in one slice is far less than the rest.
    if (this.#length < this.#output.length) this.#output[this.#length++] = byte;
  }

  /** So much is waiting to be heard that the guest has to wait. */
  get isFull(): boolean {
    return this.#length > this.#output.length / 2;
  }

  /** Hands on what was written since. */
  flush(): void {
    if (this.#isTelling || this.#length === 0) return;
    this.#isTelling = true;
    this.#tell(this.#output.slice(0, this.#length));
    this.#length = 0;
  }

  /** What was handed on has been taken. */
  heard(): void {
    this.#isTelling = false;
  }

  /** Resolves when the guest's UART has taken all bytes. */
  send(bytes: Uint8Array): Promise<void> {
    return new Promise((done) => {
      this.#input.push({ bytes, at: 0, done });
    });
  }

  /** Gives the UART what it has room for. To be called between slices only: it raises IRQs. */
  feed(): void {
    if (this.#uart.input.length > 0) return;
    let room = (this.#uart.fifo_control & 1) === 1 ? FIFO_BYTES : 1;
    while (room > 0) {
      const [sending] = this.#input;
      if (sending === undefined) return;
      const { bytes, done } = sending;
      for (; room > 0 && sending.at < bytes.length; room--) {
        this.#uart.data_received(bytes[sending.at++] ?? 0);
      }
      if (sending.at < bytes.length) return;
      this.#input.shift();
      done();
    }
  }

  /** What the UART holds for the guest: v86 leaves it out of its own state. */
  get held(): number[] {
    return [...this.#uart.input];
  }

  set held(bytes: readonly number[]) {
    this.#uart.input.splice(0, this.#uart.input.length, ...bytes);
  }
}
