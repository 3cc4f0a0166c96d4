import { asFault, Fault } from "../core/faults.ts";
import { REPLIES_WAITING_MAX, SCOPES_PER_CONNECTION_MAX } from "../core/limits.ts";
import type { Caller } from "../core/rights.ts";
import type { Scopes } from "../generations/scopes.ts";
import { type RequestOf, Subscription } from "./subscription.ts";
import type { WatchSink } from "./watch_sink.ts";

/** A request about watching, already checked. */
export type WatchRequest = RequestOf<"watch" | "ack" | "fail" | "quiesced" | "unwatch">;

/**
 * One connection's watchers. Level, not edge: whatever happens, a client is owed only the newest
 * generation of each of its scopes, until it confirms exactly that one.
 */
export class WatchSession {
  readonly #scopes: Scopes;
  readonly #sink: WatchSink;
  readonly #caller: Caller | undefined;
  /** By the name of the scope. */
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #waiting: WatchRequest[] = [];
  #isWorking = false;
  #isOver = false;

  /** @param caller Whose watchers they are, and who needs the permission to watch each scope */
  constructor(scopes: Scopes, sink: WatchSink, caller?: Caller) {
    this.#scopes = scopes;
    this.#sink = sink;
    this.#caller = caller;
  }

  /**
   * Takes a request. Each is answered once, in order.
   *
   * @returns `false` when the client sends faster than it is served and must be cut off
   */
  receive(request: WatchRequest): boolean {
    if (this.#waiting.length >= REPLIES_WAITING_MAX) return false;
    this.#waiting.push(request);
    if (!this.#isWorking) void this.#work();
    return true;
  }

  /** The connection ended. Tracked watchers are held, the others are released. */
  async end(): Promise<void> {
    this.#isOver = true;
    const subscriptions = [...this.#subscriptions.values()];
    this.#subscriptions.clear();
    await Promise.allSettled(subscriptions.map((subscription) => subscription.end()));
  }

  async #work(): Promise<void> {
    this.#isWorking = true;
    for (let request = this.#waiting.shift(); request; request = this.#waiting.shift()) {
      try {
        // Most requests are served at once. Waiting for those too would cost every ack a turn.
        const done = this.#serve(request);
        if (done !== undefined) await done;
      } catch (error) {
        this.#sink.refuse(request.id, asFault(error));
      }
    }
    this.#isWorking = false;
  }

  #serve(request: WatchRequest): Promise<void> | void {
    switch (request.type) {
      case "watch":
        return this.#watch(request);
      case "ack":
        return this.#subscription(request.scope).ack(request);
      case "fail":
        return this.#subscription(request.scope).fail(request);
      case "quiesced":
        return this.#subscription(request.scope).quiesced(request);
      case "unwatch":
        return this.#unwatch(request);
    }
  }

  async #watch(request: RequestOf<"watch">): Promise<void> {
    this.#caller?.require("watch", { kind: "scopes", name: request.scope });
    const known = this.#subscriptions.get(request.scope);
    if (known === undefined) return await this.#subscribe(request);
    if (request.track !== undefined) await known.track(request.track);
    // The scope may be deleted meanwhile, or the connection over.
    if (this.#subscriptions.has(request.scope)) known.confirm(request);
  }

  async #subscribe(request: RequestOf<"watch">): Promise<void> {
    if (this.#subscriptions.size >= SCOPES_PER_CONNECTION_MAX) {
      throw new Fault(
        "watchers-exhausted",
        `Cannot watch scope "${request.scope}": one connection may watch ` +
          `${SCOPES_PER_CONNECTION_MAX}`,
      );
    }
    const scope = this.#scopes.get(request.scope);
    const { watcher, resumed, token } = await scope.watchers.watch(request, this.#caller);
    if (this.#isOver) return await scope.watchers.leave(watcher.id, watcher.tokenHash);
    const onDeleted = (): void => void this.#subscriptions.delete(request.scope);
    const isBack = request.token !== undefined;
    const subscription = new Subscription(scope, watcher, this.#sink, onDeleted, isBack);
    this.#subscriptions.set(request.scope, subscription);
    subscription.confirm(request, { resumed, token });
  }

  async #unwatch(request: RequestOf<"unwatch">): Promise<void> {
    await this.#subscription(request.scope).release(request);
    this.#subscriptions.delete(request.scope);
  }

  #subscription(name: string): Subscription {
    const subscription = this.#subscriptions.get(name);
    if (subscription !== undefined) return subscription;
    throw new Fault(
      "not-watching",
      `Cannot do this for scope "${name}": this connection does not watch it; send watch first`,
    );
  }
}
