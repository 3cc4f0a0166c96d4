import { setImmediate } from "node:timers";
import { READY_LINGER_MS, READY_SLICE_MS } from "../core/limits.ts";
import { SystemError } from "../core/system_error.ts";
import { O_CLOEXEC, O_NONBLOCK, POLLFD_STRUCT, POLLIN } from "./constants.ts";
import type { Libc } from "./libc.ts";

const FOREVER = -1;

/** A descriptor that becomes ready, and what is done then. */
interface ReadySource {
  /** Open and nonblocking for as long as the source is in the loop. */
  readonly fd: number;
  /**
   * Does one piece of work. It must not throw and not block.
   *
   * @returns `false` when there was nothing to do
   */
  work(): boolean;
}

/**
 * Serves descriptors that become ready: work in slices of 2 ms, then the event loop gets its turn.
 * When nothing is ready, one poll on a thread of its own waits for all of them.
 */
export class ReadinessLoop {
  readonly #libc: Libc;
  readonly #sources = new Set<ReadySource>();
  /** An eventfd that ends the poll when the sources change. */
  readonly #wakeFd: number;
  readonly #running: Promise<void>;
  #closed = false;

  /** @throws {SystemError} when there is no descriptor left */
  constructor(libc: Libc) {
    this.#libc = libc;
    const fd = libc.symbols.eventfd(0, O_CLOEXEC | O_NONBLOCK);
    this.#wakeFd = libc.check(fd, "eventfd", "the readiness loop");
    this.#running = this.#run();
  }

  /** Serves a source until the returned function is called. */
  add(source: ReadySource): () => void {
    this.#sources.add(source);
    this.#wake();
    return () => {
      if (this.#sources.delete(source)) this.#wake();
    };
  }

  /** Ends the loop. The descriptors of its sources stay open. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#wake();
    await this.#running;
    this.#sources.clear();
    this.#libc.symbols.close(this.#wakeFd);
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      let lastWorkMs = this.#slice();
      // A client that was answered often asks again at once; a thread would only be slower.
      while (performance.now() - lastWorkMs < READY_LINGER_MS && !this.#closed) {
        await new Promise<void>((resolve) => setImmediate(resolve));
        lastWorkMs = Math.max(lastWorkMs, this.#slice());
      }
      if (!this.#closed) await this.#wait();
    }
  }

  /** Works until nothing is ready or the slice is over. @returns When there was work last */
  #slice(): number {
    const endMs = performance.now() + READY_SLICE_MS;
    let lastWorkMs = -Infinity;
    for (;;) {
      let worked = false;
      for (const source of this.#sources) worked = source.work() || worked;
      if (!worked) return lastWorkMs;
      lastWorkMs = performance.now();
      if (lastWorkMs >= endMs) return lastWorkMs;
    }
  }

  async #wait(): Promise<void> {
    const fds = [this.#wakeFd, ...[...this.#sources].map(({ fd }) => fd)];
    const { size, fd: fdAt, events: eventsAt } = POLLFD_STRUCT;
    const pollfds = new Uint8Array(fds.length * size);
    const view = new DataView(pollfds.buffer);
    for (const [index, fd] of fds.entries()) {
      view.setInt32(index * size + fdAt, fd, true);
      view.setInt16(index * size + eventsAt, POLLIN, true);
    }
    // A failure here is a signal; whatever else it may be shows itself in the work.
    await this.#libc.symbols.poll_thread(pollfds, BigInt(fds.length), FOREVER);
    this.#libc.symbols.read(this.#wakeFd, new Uint8Array(8), 8n);
  }

  #wake(): void {
    const one = new Uint8Array(BigUint64Array.of(1n).buffer);
    if (this.#libc.symbols.write(this.#wakeFd, one, 8n) < 0n) {
      const errno = this.#libc.errno();
      // EAGAIN: the counter is full, so it wakes anyway.
      if (errno !== "EAGAIN") throw new SystemError(errno, "write", "the readiness loop");
    }
  }
}
