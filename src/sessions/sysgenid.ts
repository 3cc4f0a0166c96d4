import { asFault, Fault } from "../core/faults.ts";
import type { ScopeChange } from "../generations/changes.ts";
import type { LiveScope } from "../generations/live_scope.ts";
import type { BegunQuiesce } from "../generations/quiescing.ts";
import type { Watcher } from "../generations/watcher.ts";
import { SysgenidAnswer } from "../wire/watch_frames.ts";
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
  /** Tells of a quiesce, as JSON in a frame of text. */
  notice?(message: object): void;
  /** Ends the connection, because another one has come for the watcher. */
  takenOver?(): void;
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
  /** It changes when somebody else comes with its token while this connection is open. */
  #watcher: string;
  #isTakenOver = false;
  readonly #tokenHash: string | undefined;
  readonly #sink: SysgenidSink;
  readonly #canQuiesce: boolean;
  /** Takes the answer to a quiesce. Who was written for 4 bytes alone has no text to send. */
  readonly receiveText: ((text: string) => void) | undefined;
  readonly #stop: () => void;

  /**
   * @param watcher A registered watcher of the scope
   * @param canQuiesce Whether the client has said that it can stand still, and wants to be told
   */
  constructor(scope: LiveScope, watcher: Watcher, sink: SysgenidSink, canQuiesce = false) {
    this.#scope = scope;
    this.#watcher = watcher.id;
    this.#tokenHash = watcher.tokenHash;
    this.#sink = sink;
    this.#canQuiesce = canQuiesce;
    this.receiveText = canQuiesce ? (text) => this.#receiveText(text) : undefined;
    this.#stop = scope.listen((change) => this.#hear(change));
  }

  #hear(change: ScopeChange): void {
    switch (change.kind) {
      case "generation":
        return this.#offer();
      case "quiesce":
        return this.#tellQuiesce(change.quiesce);
      case "unquiesce":
        if (!this.#canQuiesce) return;
        return this.#sink.notice?.({ type: "unquiesce", quiesce: change.quiesce.id });
      case "taken":
        return this.#taken(change.watcher, change.superseded);
      case "deleted":
        return this.#sink.end();
    }
  }

  #taken(watcher: string, superseded: string | undefined): void {
    if (watcher !== this.#watcher) return;
    // Both may live: this connection speaks for the watcher that was superseded.
    if (superseded !== undefined) {
      this.#watcher = superseded;
      return;
    }
    this.#isTakenOver = true;
    this.#sink.takenOver?.();
  }

  /** Who was written for 4 bytes alone cannot be asked, so it is named as one that cannot. */
  #tellQuiesce({ id, epoch, reason, maxMs }: BegunQuiesce): void {
    const { state, watchers } = this.#scope;
    if (this.#canQuiesce) {
      this.#sink.notice?.({ type: "quiesce", quiesce: id, epoch, reason, maxMs });
    } else if (state.has(this.#watcher)) {
      watchers.quiesced(this.#watcher, id, "it speaks 4-byte frames without quiesce=true");
    }
  }

  /** Sends the generation, if it is to be confirmed, and tells of a quiesce that is on. */
  start(): void {
    if (!this.#again()) return;
    const { quiesce } = this.#scope.state;
    if (quiesce !== undefined) this.#tellQuiesce(quiesce);
  }

  /** @returns Whether the watcher is still there */
  #again(): boolean {
    const { state } = this.#scope;
    if (!state.has(this.#watcher)) {
      this.#sink.end();
      return false;
    }
    if (state.isOutdated(state.watcher(this.#watcher))) this.#offer();
    return true;
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
      this.#again();
    }
  }

  #receiveText(text: string): void {
    const { data } = SysgenidAnswer.safeParse(parseJson(text));
    try {
      if (data === undefined) {
        throw new Fault(
          "malformed-request",
          'Cannot read the frame: text answers a quiesce, as {"type":"quiesced","quiesce":ID}',
        );
      }
      this.#scope.watchers.quiesced(this.#watcher, data.quiesce, data.cannot);
      this.#sink.taken();
    } catch (error) {
      this.#sink.refuse(asFault(error));
    }
  }

  /** The connection ended. A tracked watcher is held. */
  async end(): Promise<void> {
    this.#stop();
    if (this.#isTakenOver) return;
    // If the release cannot be written now, the next start finds the watcher held.
    await this.#scope.watchers.leave(this.#watcher, this.#tokenHash).catch(() => {});
  }

  #offer(): void {
    const { state, watchers } = this.#scope;
    this.#sink.offer(sysgenidBytes(state.generation), () => watchers.notified(this.#watcher));
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
