import { asFault } from "../core/faults.ts";
import { NAME_CHARS_MAX, RESEEDER_LEASE_MS } from "../core/limits.ts";
import type { LiveScope } from "../generations/live_scope.ts";
import type { Watcher } from "../generations/watcher.ts";
import type { ReseedLine, ReseedRequest } from "../guests/linux/reseed_line.ts";

/**
 * The reseeder of a Linux guest as a tracked watcher of the guest's scope, so that barriers wait
 * for what runs in the guest (docs/guests.md#reseed).
 */
export class ReseedSession {
  readonly #scope: LiveScope;
  readonly #watcher: Watcher;
  #line: ReseedLine | undefined;
  readonly #stop: () => void;

  private constructor(scope: LiveScope, watcher: Watcher) {
    this.#scope = scope;
    this.#watcher = watcher;
    this.#stop = scope.listen(({ kind }) => {
      if (kind === "generation") this.#offer();
    });
  }

  /**
   * Registers the watcher. That of a clone is registered before its scope is bumped, so that the
   * barrier is closed before the clone runs.
   *
   * @param guest Part of the watcher's name, so that a barrier says which guest is late
   * @throws {Fault} `watchers-exhausted`, `state-unavailable`, `scope-not-found`
   */
  static async open(scope: LiveScope, guest: string, name: string): Promise<ReseedSession> {
    const { watcher } = await scope.watchers.watch({
      name: `${guest}.${name}`.slice(0, NAME_CHARS_MAX),
      track: true,
      leaseMs: RESEEDER_LEASE_MS,
      // No token has a name of this form: only the guest speaks for it, and admins.
    }, { name: `guest:${guest}`, may: () => false });
    return new ReseedSession(scope, watcher);
  }

  /** Begins to send generations to the guest, over its line. */
  attach(line: ReseedLine): void {
    this.#line = line;
    this.#offer();
  }

  /** Takes a request of the guest. */
  async receive(request: ReseedRequest): Promise<void> {
    if (request.word === "watch") return this.#offer();
    const { generation } = request;
    try {
      if (request.word === "ack") {
        this.#scope.watchers.ack(this.#watcher.id, generation, request.epoch);
      } else await this.#scope.watchers.fail(this.#watcher.id, generation, request.reason);
      this.#line?.taken(generation);
    } catch (error) {
      this.#line?.error(asFault(error).code);
      this.#offer();
    }
  }

  /** The guest died. Its watcher is held and then lost, and barriers name it. */
  async lose(): Promise<void> {
    this.#stop();
    // If the ledger fails now, the next start finds the watcher held.
    await this.#scope.watchers.leave(this.#watcher.id, this.#watcher.tokenHash).catch(() => {});
  }

  /** The guest was taken away on purpose, so nobody waits for it any more. */
  async release(): Promise<void> {
    this.#stop();
    await this.#scope.watchers.release(this.#watcher.id).catch(() => {});
  }

  #offer(): void {
    const { state } = this.#scope;
    const { id } = this.#watcher;
    if (!state.has(id) || !state.isOutdated(state.watcher(id))) return;
    this.#line?.generation(state.current);
  }
}
