import { asFault, Fault } from "../core/faults.ts";
import type { LiveScope } from "../generations/live_scope.ts";
import type { Watcher } from "../generations/watcher.ts";
import { sysgenidBytes, sysgenidGeneration } from "../generations/sysgenid_page.ts";

/** Where the frames of a session go. */
interface SysgenidSink {
  /**
   * The generation that is to be confirmed; only the newest matters.
   *
   * @param onSent Called when it is written to the socket
   */
  offer(bytes: Uint8Array<ArrayBuffer>, onSent: () => void): void;
  /** There is nothing to confirm any more. */
  withdraw(): void;
  /** A confirmation was taken. */
  taken(): void;
  /** A confirmation was refused. */
  refuse(fault: Fault): void;
  /** The scope or the watcher is gone. */
  end(): void;
}

const GENERATION_BYTES = 4;

/**
 * One watcher over 4-byte frames, as a program has it that reads and writes `/dev/sysgenid`: it is
 * sent the generation while that is not confirmed, and confirms by sending it back (seed 004).
 */
export class SysgenidSession {
  readonly #scope: LiveScope;
  readonly #watcher: string;
  readonly #tokenHash: string | undefined;
  readonly #sink: SysgenidSink;
  readonly #stop: () => void;

  /** @param watcher A registered watcher of the scope */
  constructor(scope: LiveScope, watcher: Watcher, sink: SysgenidSink) {
    this.#scope = scope;
    this.#watcher = watcher.id;
    this.#tokenHash = watcher.tokenHash;
    this.#sink = sink;
    this.#stop = scope.listen(({ kind }) => {
      if (kind === "generation") this.#offer();
      if (kind === "deleted") sink.end();
    });
  }

  /** Sends the generation, if there is one to confirm. */
  start(): void {
    const { state } = this.#scope;
    if (!state.has(this.#watcher)) return this.#sink.end();
    if (state.isOutdated(state.watcher(this.#watcher))) this.#offer();
  }

  /** Takes a frame: exactly the 4 bytes of the generation that is to be confirmed. */
  receive(bytes: Uint8Array): void {
    try {
      if (bytes.byteLength !== GENERATION_BYTES) {
        throw new Fault(
          "wrong-length",
          `Cannot confirm with ${bytes.byteLength} bytes: a generation has 4`,
        );
      }
      this.#scope.watchers.ack(this.#watcher, sysgenidGeneration(bytes));
      this.#sink.withdraw();
      this.#sink.taken();
    } catch (error) {
      this.#sink.refuse(asFault(error));
      this.start();
    }
  }

  /** The connection ended: a tracked watcher is held. */
  async end(): Promise<void> {
    this.#stop();
    // One that cannot be released now is found held after the next start.
    await this.#scope.watchers.leave(this.#watcher, this.#tokenHash).catch(() => {});
  }

  #offer(): void {
    const { state, watchers } = this.#scope;
    this.#sink.offer(sysgenidBytes(state.generation), () => watchers.notified(this.#watcher));
  }
}
