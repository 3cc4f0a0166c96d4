import { SERIAL_BACKLOG_BYTES } from "../../core/limits.ts";
import type { Uart } from "./cpu.ts";

const FIFO_BYTES = 16;

interface Sending {
  readonly bytes: Uint8Array;
  at: number;
  readonly done: () => void;
}

/** One serial line of a PC. Output of the guest is gathered; input waits until the UART takes it. */
export class SerialPort {
  readonly #uart: Uart;
  readonly #report: (bytes: Uint8Array<ArrayBuffer>) => void;
  readonly #output = new Uint8Array(SERIAL_BACKLOG_BYTES);
  #length = 0;
  #isReporting = false;
  readonly #input: Sending[] = [];

  /** @param report Gets the guest's output. It is not called again before {@linkcode heard} */
  constructor(uart: Uart, report: (bytes: Uint8Array<ArrayBuffer>) => void) {
    this.#uart = uart;
    this.#report = report;
  }

  /** The guest has written a byte. */
  wrote(byte: number): void {
    // Nothing is lost: a guest is stopped when half of this is full, and writes less in one slice.
    if (this.#length < this.#output.length) this.#output[this.#length++] = byte;
  }

  /** Whether so much output waits that the guest must be stopped. */
  get isFull(): boolean {
    return this.#length > this.#output.length / 2;
  }

  /** Reports the output that was gathered. */
  flush(): void {
    if (this.#isReporting || this.#length === 0) return;
    this.#isReporting = true;
    this.#report(this.#output.slice(0, this.#length));
    this.#length = 0;
  }

  /** The host has taken what was reported. */
  heard(): void {
    this.#isReporting = false;
  }

  /** Resolves when the guest's UART has taken all bytes. */
  send(bytes: Uint8Array): Promise<void> {
    return new Promise((done) => {
      this.#input.push({ bytes, at: 0, done });
    });
  }

  /** Gives the UART what it has room for. Call it between slices only, because it raises IRQs. */
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

  /** The bytes that the UART holds for the guest. v86 leaves them out of its own state. */
  get held(): number[] {
    return [...this.#uart.input];
  }

  set held(bytes: readonly number[]) {
    this.#uart.input.splice(0, this.#uart.input.length, ...bytes);
  }
}
