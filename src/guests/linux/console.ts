import { Fault } from "../../core/faults.ts";
import { CONSOLE_INPUT_BYTES_MAX, CONSOLE_RING_BYTES } from "../../core/limits.ts";

/** A part of what a guest has written to its console. */
interface ConsolePart {
  /** Offset of its first byte. It is later than requested when those bytes were overwritten. */
  readonly start: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * The console of a guest. It stores the end of what the guest wrote, where each byte has an offset
 * that never repeats, and sends what people type. Readers remember their own place, so that none of
 * them holds up the guest.
 */
export class Console {
  readonly #send: (bytes: Uint8Array) => Promise<void>;
  readonly #ring = new Uint8Array(CONSOLE_RING_BYTES);
  readonly #listeners = new Set<() => void>();
  #end = 0;
  #unsentBytes = 0;
  #isOver = false;

  /** @param send Resolves when the guest's end of the line has taken the bytes */
  constructor(send: (bytes: Uint8Array) => Promise<void>) {
    this.#send = send;
  }

  /** Offset of the first byte that is still stored. */
  get start(): number {
    return Math.max(0, this.#end - CONSOLE_RING_BYTES);
  }

  /** Offset of the byte that comes next. */
  get end(): number {
    return this.#end;
  }

  /** Whether the guest will write no more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** The guest has written this. */
  append(bytes: Uint8Array): void {
    const last = bytes.subarray(Math.max(0, bytes.length - CONSOLE_RING_BYTES));
    const at = (this.#end + bytes.length - last.length) % CONSOLE_RING_BYTES;
    const first = last.subarray(0, CONSOLE_RING_BYTES - at);
    this.#ring.set(first, at);
    this.#ring.set(last.subarray(first.length), 0);
    this.#end += bytes.length;
    this.#report();
  }

  /**
   * What it has written from an offset on, as far as it is still stored.
   *
   * @param limitBytes How many bytes at most
   */
  read(since: number, limitBytes = CONSOLE_RING_BYTES): ConsolePart {
    const start = Math.min(Math.max(since, this.start), this.#end);
    const length = Math.min(this.#end - start, limitBytes);
    const at = start % CONSOLE_RING_BYTES;
    const bytes = new Uint8Array(length);
    const first = this.#ring.subarray(at, at + length);
    bytes.set(first);
    bytes.set(this.#ring.subarray(0, length - first.length), first.length);
    return { start, bytes };
  }

  /**
   * Sends bytes to the guest, in order.
   *
   * @throws {Fault} `console-input-full` when too much waits that the guest has not taken
   */
  type(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.#unsentBytes + bytes.length > CONSOLE_INPUT_BYTES_MAX) {
      throw new Fault(
        "console-input-full",
        `Cannot send ${bytes.length} bytes to the guest: it has not taken ${this.#unsentBytes} ` +
          `yet, and ${CONSOLE_INPUT_BYTES_MAX} may wait; send them when it reads`,
      );
    }
    this.#unsentBytes += bytes.length;
    // This fails when the guest ends, and people who type see its end anyway.
    this.#send(bytes).catch(() => {}).finally(() => this.#unsentBytes -= bytes.length);
  }

  /**
   * Calls back whenever there is more, and when the guest ends, until the returned function is
   * called.
   */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The guest has ended. What it wrote can still be read. */
  close(): void {
    this.#isOver = true;
    this.#report();
  }

  #report(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}
