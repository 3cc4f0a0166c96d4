import { asFault, Fault } from "../core/faults.ts";
import type { LiveScope } from "../generations/live_scope.ts";
import type { Watcher } from "../generations/watcher.ts";
import { sysgenidBytes, sysgenidGeneration } from "../generations/sysgenid_page.ts";

/** Where the frames of a session go. */
interface SysgenidSink {
  /**
   * Sends the generation that is to be confirmed, in place of an unsent older one.
   *
   * @param onSent Called when it is written to the socket
   */
  offer(bytes: Uint8Array<ArrayBuffer>, onSent: () => void): void;
  /** Drops an unsent generation, because nothing is left to confirm. */
  withdraw(): void;
  /** Says that a confirmation counts. */
  taken(): void;
  /** Says why a confirmation does not count. */
  refuse(fault: Fault): void;
  /** Ends the connection, because the scope or the watcher is gone. */
  end(): void;
}

const GENERATION_BYTES = 4;

/**
 * One watcher over 4-byte frames, for programs that were written for the reads and writes of
 * `/dev/sysgenid`. It is sent the generation until it confirms that by sending it back
 * (docs/generations.md#6).
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

  /** Sends the generation, if it is to be confirmed. */
  start(): void {
    const { state } = this.#scope;
    if (!state.has(this.#watcher)) return this.#sink.end();
    if (state.isOutdated(state.watcher(this.#watcher))) this.#offer();
  }

  /** Takes a frame. It must be the 4 bytes of the generation that is to be confirmed. */
  receive(bytes: Uint8Array): void {
    try {
      if (bytes.byteLength !== GENERATION_BYTES) {
        throw new Fault(
          "wrong-length",
          `Cannot confirm with ${bytes.byteLength} bytes: a generation has ${GENERATION_BYTES}`,
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

  /** The connection ended. A tracked watcher is held. */
  async end(): Promise<void> {
    this.#stop();
    // If the release cannot be written now, the next start finds the watcher held.
    await this.#scope.watchers.leave(this.#watcher, this.#tokenHash).catch(() => {});
  }

  #offer(): void {
    const { state, watchers } = this.#scope;
    this.#sink.offer(sysgenidBytes(state.generation), () => watchers.notified(this.#watcher));
  }
}
