import { asFault, Fault } from "../core/faults.ts";
import { REPLIES_WAITING_MAX, SCOPES_PER_CONNECTION_MAX } from "../core/limits.ts";
import type { ScopeChange } from "../generations/changes.ts";
import type { LiveScope } from "../generations/live_scope.ts";
import type { Quiesce } from "../generations/scope.ts";
import type { Scopes } from "../generations/scopes.ts";
import type { Urgency } from "./send_turns.ts";

/** A request of a client, already checked. */
export type WatchRequest =
  | {
    readonly type: "watch";
    readonly id: number | string;
    readonly scope: string;
    readonly name: string;
    readonly track: boolean;
    readonly progress?: boolean | undefined;
    readonly leaseMs?: number | undefined;
    readonly token?: string | undefined;
  }
  | {
    readonly type: "fail";
    readonly id: number | string;
    readonly scope: string;
    readonly generation: number;
    readonly reason: string;
  }
  | {
    readonly type: "ack";
    readonly id: number | string;
    readonly scope: string;
    readonly generation: number;
    readonly epoch?: bigint | undefined;
  }
  | {
    readonly type: "unwatch" | "quiesced";
    readonly id: number | string;
    readonly scope: string;
  };

/** Where the messages of a session go. */
export interface WatchSink {
  /** An answer to a request, or a message that must not be left out. */
  reply(message: object): void;
  /** A request was refused. */
  refuse(id: number | string, fault: Fault): void;
  /** The newest message of a topic. `onSent` is called when it is written to the socket. */
  offer(topic: string, message: object, urgency: Urgency, onSent?: () => void): void;
  /** A topic has nothing to say any more. */
  withdraw(topic: string): void;
  /** Another connection speaks for one of the watchers now: this one must end. */
  takenOver(): void;
}

interface Subscription {
  readonly scope: LiveScope;
  readonly watcher: string;
  readonly tokenHash: string | undefined;
  readonly stop: () => void;
  /** Stops following its progress, where that is done. */
  unfollow: (() => void) | undefined;
}

/**
 * One connection's watchers. Level, not edge: whatever happens, a client is owed only the newest
 * generation of each of its scopes, until it confirms exactly that one.
 */
export class WatchSession {
  readonly #scopes: Scopes;
  readonly #sink: WatchSink;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #waiting: WatchRequest[] = [];
  #working = false;
  #ended = false;

  constructor(scopes: Scopes, sink: WatchSink) {
    this.#scopes = scopes;
    this.#sink = sink;
  }

  /**
   * Takes a request; each is answered once, in order.
   *
   * @returns `false` when the client sends faster than it is served and must be cut off
   */
  receive(request: WatchRequest): boolean {
    if (this.#waiting.length >= REPLIES_WAITING_MAX) return false;
    this.#waiting.push(request);
    if (!this.#working) void this.#work();
    return true;
  }

  /** The connection ended: tracked watchers are held, the others released. */
  async end(): Promise<void> {
    this.#ended = true;
    const subscriptions = [...this.#subscriptions.values()];
    this.#subscriptions.clear();
    for (const { stop, unfollow } of subscriptions) {
      stop();
      unfollow?.();
    }
    await Promise.allSettled(
      subscriptions.map(({ scope, watcher, tokenHash }) =>
        scope.watchers.leave(watcher, tokenHash)
      ),
    );
  }

  async #work(): Promise<void> {
    this.#working = true;
    for (let request = this.#waiting.shift(); request; request = this.#waiting.shift()) {
      try {
        const done = this.#serve(request);
        if (done !== undefined) await done;
      } catch (error) {
        this.#sink.refuse(request.id, asFault(error));
      }
    }
    this.#working = false;
  }

  #serve(request: WatchRequest): Promise<void> | undefined {
    switch (request.type) {
      case "watch":
        return this.#watch(request);
      case "ack":
        return this.#ack(request);
      case "fail":
        return this.#fail(request);
      case "quiesced":
        return this.#quiesced(request);
      case "unwatch":
        return this.#unwatch(request);
    }
  }

  async #watch(request: WatchRequest & { type: "watch" }): Promise<void> {
    const known = this.#subscriptions.get(request.scope);
    const token = known === undefined
      ? await this.#subscribe(request)
      : await known.scope.watchers.track(known.watcher, request.track).then(() => undefined);
    const subscription = this.#subscriptions.get(request.scope);
    if (subscription === undefined) return;
    this.#follow(request.scope, subscription, request.progress ?? false);
    const { state } = subscription.scope;
    const outdated = state.isOutdated(state.watcher(subscription.watcher));
    this.#sink.reply({
      type: "watching",
      id: request.id,
      scope: request.scope,
      watcher: subscription.watcher,
      generation: state.generation,
      epoch: state.epoch,
      unique: state.current.unique,
      outdated,
      resumed: token?.resumed ?? false,
      ...(token === undefined ? {} : { token: token.token }),
    });
    if (outdated) this.#offerGeneration(subscription);
    if (state.quiesce !== undefined) this.#offerQuiesce(request.scope, state.quiesce);
  }

  async #subscribe(
    { scope: name, name: watcherName, track, leaseMs, token }: WatchRequest & { type: "watch" },
  ): Promise<{ resumed: boolean; token: string } | undefined> {
    if (this.#subscriptions.size >= SCOPES_PER_CONNECTION_MAX) {
      throw new Fault(
        "watchers-exhausted",
        `Cannot watch scope "${name}": one connection may watch ${SCOPES_PER_CONNECTION_MAX}`,
      );
    }
    const scope = this.#scopes.get(name);
    const { watcher, resumed, token: next } = await scope.watchers.watch({
      name: watcherName,
      track,
      leaseMs,
      token,
    });
    if (this.#ended) {
      await scope.watchers.leave(watcher.id, watcher.tokenHash);
      return undefined;
    }
    const stop = scope.listen((change) => this.#hear(name, change));
    const { id, tokenHash } = watcher;
    this.#subscriptions.set(name, { scope, watcher: id, tokenHash, stop, unfollow: undefined });
    return { resumed, token: next };
  }

  #follow(name: string, subscription: Subscription, on: boolean): void {
    subscription.unfollow?.();
    subscription.unfollow = undefined;
    if (!on) return this.#sink.withdraw(`progress ${name}`);
    const { state } = subscription.scope;
    subscription.unfollow = subscription.scope.follow(() => {
      const { generation, epoch, phase, counts: { outdated } } = state;
      const progress = { type: "progress", scope: name, generation, epoch, phase, outdated };
      this.#sink.offer(`progress ${name}`, progress, "news");
    });
  }

  #ack(request: WatchRequest & { type: "ack" }): undefined {
    const { scope, watcher } = this.#subscription(request.scope);
    scope.watchers.ack(watcher, request.generation, request.epoch);
    this.#sink.withdraw(`generation ${request.scope}`);
    this.#sink.reply({
      type: "acked",
      id: request.id,
      scope: request.scope,
      outdated: scope.state.counts.outdated,
    });
  }

  #fail({ id, scope: name, generation, reason }: WatchRequest & { type: "fail" }): undefined {
    const { scope, watcher } = this.#subscription(name);
    scope.watchers.fail(watcher, generation, reason);
    this.#sink.reply({ type: "failed", id, scope: name });
  }

  #quiesced({ id, scope: name }: WatchRequest & { type: "unwatch" | "quiesced" }): undefined {
    const { scope, watcher } = this.#subscription(name);
    scope.watchers.quiesced(watcher);
    this.#sink.reply({ type: "quiesced", id, scope: name });
  }

  async #unwatch(
    { id, scope: name }: WatchRequest & { type: "unwatch" | "quiesced" },
  ): Promise<void> {
    const { scope, watcher } = this.#subscription(name);
    await scope.watchers.release(watcher);
    this.#forget(name);
    this.#sink.reply({ type: "unwatched", id, scope: name });
  }

  #hear(name: string, change: ScopeChange): void {
    const subscription = this.#subscriptions.get(name);
    if (subscription === undefined) return;
    switch (change.kind) {
      case "generation":
        this.#sink.withdraw(`quiesce ${name}`);
        return this.#offerGeneration(subscription);
      case "quiesce":
        return this.#offerQuiesce(name, change.quiesce);
      case "unquiesce":
        return this.#sink.offer(`quiesce ${name}`, { type: "unquiesce", scope: name }, "change");
      case "taken":
        if (change.watcher === subscription.watcher) this.#sink.takenOver();
        return;
      case "blocked":
      case "quiesced":
        return;
      case "settled":
        return this.#sink.offer(`settled ${name}`, {
          type: "settled",
          scope: name,
          ...change.settled,
        }, "news");
      case "deleted":
        this.#forget(name);
        return this.#sink.reply({ type: "unwatched", scope: name });
    }
  }

  #offerGeneration({ scope, watcher }: Subscription): void {
    const { name, current } = scope.state;
    const { generation, epoch, unique, reason } = current;
    this.#sink.offer(
      `generation ${name}`,
      {
        type: "generation",
        scope: name,
        watcher,
        generation,
        epoch,
        unique,
        reason,
      },
      "change",
      () => scope.watchers.notified(watcher),
    );
  }

  #offerQuiesce(scope: string, { reason, maxMs }: Quiesce): void {
    this.#sink.offer(`quiesce ${scope}`, { type: "quiesce", scope, reason, maxMs }, "change");
  }

  #forget(name: string): void {
    const { stop, unfollow } = this.#subscription(name);
    stop();
    unfollow?.();
    this.#subscriptions.delete(name);
    this.#sink.withdraw(`progress ${name}`);
    this.#sink.withdraw(`generation ${name}`);
    this.#sink.withdraw(`settled ${name}`);
    this.#sink.withdraw(`quiesce ${name}`);
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
