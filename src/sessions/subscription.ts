import { QUIESCES_UNANSWERED_MAX } from "../core/limits.ts";
import type { ScopeChange } from "../generations/changes.ts";
import type { LiveScope } from "../generations/live_scope.ts";
import type { BegunQuiesce } from "../generations/quiescing.ts";
import type { Watcher } from "../generations/watcher.ts";
import type { ClientFrame } from "../wire/watch_frames.ts";
import type { Urgency } from "./send_turns.ts";
import type { WatchSink } from "./watch_sink.ts";

/** Each has one unsent message at most, the newest. */
type Topic = "generation" | "quiesce" | "settled" | "progress";
const TOPICS: readonly Topic[] = ["generation", "quiesce", "settled", "progress"];

/** Stands for a quiesce that this connection was not sent; none has such an id. */
const OF_BEFORE = "of before";

/** A frame of a client of this type. */
export type RequestOf<Type extends ClientFrame["type"]> = Extract<ClientFrame, { type: Type }>;

/** One connection's watcher of one scope: passes on what happens there, and serves its requests. */
export class Subscription {
  readonly #scope: LiveScope;
  /** It changes when somebody else comes with its token while this connection is open. */
  #watcher: string;
  readonly #tokenHash: string | undefined;
  readonly #sink: WatchSink;
  readonly #onDeleted: () => void;
  readonly #unlisten: () => void;
  #unfollow = (): void => {};
  /** Quiesces that the client was sent and has not answered. */
  readonly #unanswered: { readonly id: string; isSent: boolean }[] = [];
  /** Whether the client has said which quiesce it answers, so that it always does. */
  #namesQuiesces = false;

  /**
   * @param watcher A registered watcher of the scope
   * @param onDeleted Called when the scope is deleted, and the watcher with it
   * @param isBack Whether its client had another connection before
   */
  constructor(
    scope: LiveScope,
    { id, tokenHash }: Watcher,
    sink: WatchSink,
    onDeleted: () => void,
    isBack = false,
  ) {
    this.#scope = scope;
    this.#watcher = id;
    this.#tokenHash = tokenHash;
    this.#sink = sink;
    this.#onDeleted = onDeleted;
    // It may answer here what it was sent there.
    if (isBack) this.#unanswered.push({ id: OF_BEFORE, isSent: true });
    this.#unlisten = scope.listen((change) => this.#hear(change));
  }

  /** Switches tracking of the watcher. */
  async track(on: boolean): Promise<void> {
    await this.#scope.watchers.track(this.#watcher, on);
  }

  /**
   * Says that the scope is watched, and what is to be confirmed already.
   *
   * @param session What the watcher got when it was registered; nothing when it was before
   */
  confirm(
    { id, progress }: RequestOf<"watch">,
    session: { resumed: boolean; token?: string } = { resumed: false },
  ): void {
    this.#follow(progress);
    const { state } = this.#scope;
    const { generation, epoch, current: { unique }, quiesce } = state;
    const outdated = state.isOutdated(state.watcher(this.#watcher));
    const watcher = this.#watcher;
    this.#reply("watching", id, { watcher, generation, epoch, unique, outdated, ...session });
    if (outdated) this.#offerGeneration();
    if (quiesce !== undefined) this.#offerQuiesce(quiesce);
  }

  ack({ id, generation, epoch }: RequestOf<"ack">): void {
    this.#scope.watchers.ack(this.#watcher, generation, epoch);
    this.#withdraw("generation");
    this.#reply("acked", id, { outdated: this.#scope.state.counts.outdated });
  }

  /** Answers when the reason is durable: a restart must not lose why a barrier stays shut. */
  async fail({ id, generation, reason }: RequestOf<"fail">): Promise<void> {
    await this.#scope.watchers.fail(this.#watcher, generation, reason);
    this.#reply("failed", id);
  }

  quiesced({ id, quiesce, cannot }: RequestOf<"quiesced">): void {
    this.#scope.watchers.quiesced(this.#watcher, this.#answered(quiesce), cannot);
    this.#reply("quiesced", id);
  }

  /**
   * The quiesce that an answer is to. One that does not say answers the first that was sent and not
   * answered, so an answer that comes late does not count for the next quiesce. When none is left,
   * or this client has named one before, it is such a late one.
   */
  #answered(quiesce: string | undefined): string {
    if (quiesce !== undefined) {
      this.#namesQuiesces = true;
      return quiesce;
    }
    const oldest = this.#namesQuiesces ? undefined : this.#unanswered.shift();
    return oldest?.id ?? OF_BEFORE;
  }

  /** Releases the watcher; this is over then. */
  async release({ id, epoch }: RequestOf<"unwatch">): Promise<void> {
    await this.#scope.watchers.release(this.#watcher, epoch);
    this.#forget();
    this.#reply("unwatched", id);
  }

  /** The connection ended. A tracked watcher is held, another one is released. */
  async end(): Promise<void> {
    this.#unlisten();
    this.#unfollow();
    await this.#scope.watchers.leave(this.#watcher, this.#tokenHash);
  }

  /** Whether the client wants to hear of each step of each watcher of the scope. */
  #follow(on: boolean): void {
    this.#unfollow();
    this.#unfollow = () => {};
    if (!on) return this.#withdraw("progress");
    this.#unfollow = this.#scope.follow(() => {
      const { generation, epoch, phase, counts: { outdated } } = this.#scope.state;
      this.#offer("progress", { generation, epoch, phase, outdated }, "news");
    });
  }

  #hear(change: ScopeChange): void {
    switch (change.kind) {
      case "generation":
        this.#dropUnsentQuiesce();
        this.#withdraw("quiesce");
        return this.#offerGeneration();
      case "quiesce":
        return this.#offerQuiesce(change.quiesce);
      case "unquiesce":
        return this.#offer("quiesce", { type: "unquiesce", quiesce: change.quiesce.id }, "change");
      case "settled":
        return this.#offer("settled", change.settled, "news");
      case "taken":
        if (change.watcher !== this.#watcher) return;
        // Both may live: this connection speaks for the watcher that was superseded.
        if (change.superseded === undefined) return this.#sink.takenOver();
        this.#watcher = change.superseded;
        return;
      case "deleted":
        this.#forget();
        this.#onDeleted();
        return this.#sink.reply({ type: "unwatched", scope: this.#scope.state.name });
    }
  }

  #offerGeneration(): void {
    const { state: { current }, watchers } = this.#scope;
    const { generation, epoch, unique, reason } = current;
    const message = { watcher: this.#watcher, generation, epoch, unique, reason };
    this.#offer("generation", message, "change", () => watchers.notified(this.#watcher));
  }

  #offerQuiesce({ id, epoch, reason, maxMs }: BegunQuiesce): void {
    this.#dropUnsentQuiesce();
    const sent = { id, isSent: false };
    this.#unanswered.push(sent);
    if (this.#unanswered.length > QUIESCES_UNANSWERED_MAX) this.#unanswered.shift();
    const message = { quiesce: id, epoch, reason, maxMs };
    this.#offer("quiesce", message, "change", () => sent.isSent = true);
  }

  /** A newer message takes its place, so nobody will answer it. */
  #dropUnsentQuiesce(): void {
    if (this.#unanswered.at(-1)?.isSent === false) this.#unanswered.pop();
  }

  #forget(): void {
    this.#unlisten();
    this.#unfollow();
    for (const topic of TOPICS) this.#withdraw(topic);
  }

  #reply(type: string, id: number | string, members: object = {}): void {
    this.#sink.reply({ type, id, scope: this.#scope.state.name, ...members });
  }

  #offer(topic: Topic, message: object, urgency: Urgency, onSent?: () => void): void {
    const scope = this.#scope.state.name;
    this.#sink.offer(`${topic} ${scope}`, { type: topic, scope, ...message }, urgency, onSent);
  }

  #withdraw(topic: Topic): void {
    this.#sink.withdraw(`${topic} ${this.#scope.state.name}`);
  }
}
