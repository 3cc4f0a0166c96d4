import { ProblemError } from "./problem_error.ts";
import { REASON_CHARS_MAX } from "../core/limits.ts";
import { type Deferred, deferred } from "./deferred.ts";
import type { SocketEndpoint } from "./endpoint.ts";
import { ownProcess } from "./own_process.ts";
import { SocketOpener } from "./socket_opener.ts";
import { type ConnectionParts, type Frame, WatchConnection } from "./watch_connection.ts";

/** How long the answer to a check may take, unless the program says so. */
const CHECK_MS = 2_000;

/** A change of generation that a program has to adapt to. */
export interface Generation {
  readonly scope: string;
  readonly generation: number;
  /** Counts bumps and never wraps; a decimal string. */
  readonly epoch: string;
  /** Tells clones of one snapshot apart; 32 hex digits. */
  readonly unique: string;
  readonly reason: string;
}

/** A request to stop using what a bump would change. */
export interface QuiesceRequest {
  readonly scope: string;
  readonly reason: string;
  readonly maxMs: number;
}

/**
 * What a watcher does, and how it connects: by `url` and a `token` or `ticket`, through a unix
 * `socket`, or by a function that opens the WebSocket.
 */
export interface WatcherOptions extends SocketEndpoint {
  readonly scope: string;
  readonly name: string;
  /** Whether barriers wait for it. True when it is left out. */
  readonly track?: boolean;
  readonly leaseMs?: number;
  /** The token of an earlier process, to go on as the watcher that it was. */
  readonly resumeToken?: string | undefined;
  /** The epoch that the earlier process confirmed last. Without it there is something to confirm. */
  readonly epoch?: string | undefined;
  /** Hears of each epoch that is confirmed. Store it beside the token. */
  readonly onConfirmed?: (epoch: string) => void;
  /**
   * Tells which process this is, so that the daemon can prove when it has ended. It is asked for
   * each connection. Over a unix socket of the same host alone is it of use; Node tells it by itself
   * there.
   */
  readonly process?: () => Promise<Readonly<Record<string, unknown>> | undefined>;
  /** Hears of each resume token, which is good for one return. Store it to survive a crash. */
  readonly onResumeToken?: (token: string) => void;
  /**
   * Opens a WebSocket to `/v1/watch` with the given subprotocol, in the place of `url` and the
   * others. `signal` fires when it takes too long.
   */
  readonly open?: (protocol: string, signal: AbortSignal) => WebSocket | Promise<WebSocket>;
  /**
   * Time for each connection to be made, up to the daemon's first word, in milliseconds; 10,000
   * unless it is given. A connection that falls silent later is given up after two of the
   * daemon's heartbeats.
   */
  readonly connectTimeoutMs?: number | undefined;
  /**
   * Adapts to a generation. The watcher confirms once this resolves, and reports a failure with
   * the error's message once it rejects. `signal` fires when a newer generation makes it void.
   */
  readonly onGeneration: (generation: Generation, signal: AbortSignal) => Promise<void> | void;
  /**
   * Stops using what a bump would change; the watcher says so once this resolves. Without it, or
   * when it rejects, the watcher says that it cannot.
   */
  readonly onQuiesce?: (request: QuiesceRequest) => Promise<void> | void;
  /** The quiesce is over: this watcher has confirmed the bump, all have, or there was none. */
  readonly onResume?: () => void;
  /** Hears of every connection that is made or lost, for a log. */
  readonly onConnection?: (state: "connected" | "lost", detail: string) => void;
}

/**
 * A program's watcher of one scope. It reconnects as the same watcher, adapts once to each
 * generation, and confirms exactly that one. Web standards only.
 *
 * @example
 * ```js ignore
 * import { Watcher } from "@innkeeper/client";
 *
 * const watcher = new Watcher({
 *   url: "http://127.0.0.1:8787",
 *   token: "TOKEN",
 *   scope: "vm-7",
 *   name: "app",
 *   onGeneration: ({ unique }) => console.log(`reseed with ${unique}`),
 * });
 * await watcher.ready;
 * console.log("watching");
 * await watcher.stop();
 * ```
 */
export class Watcher implements AsyncDisposable {
  /**
   * Resolves once the watcher is registered; rejects when the daemon refuses the login or the
   * watcher, and when it is stopped before.
   */
  readonly ready: Promise<void>;
  /** Resolves after {@linkcode stop}; rejects when the daemon refuses the watcher for good. */
  readonly done: Promise<void>;
  readonly #options: WatcherOptions;
  readonly #connection: WatchConnection;
  readonly #ready = deferred();
  readonly #done = deferred();
  /** Of those who check, until the daemon has answered. */
  #answered: Deferred | undefined;
  #token: string | undefined;
  #nextId = 1;
  #watchId = 0;
  #hellos = 0;
  /** Of the last frame of a stop, after whose answer it ends. */
  #lastId: number | undefined;
  #id: string | undefined;
  #isRegistered = false;
  #isStopping = false;
  /** The epoch that was current when the daemon last said so. */
  #epoch: string | undefined;
  /** Whether there is a generation that this watcher has not confirmed. */
  #isOutdated = false;
  #isGone = false;
  /** The epoch that this watcher confirmed last, once the daemon has taken it. */
  #confirmedEpoch: string | undefined;
  /** Acks that the daemon has not answered: their ids and epochs. */
  readonly #acking = new Map<number, string>();
  /** The quiesce that this watcher follows. */
  #quiesced: { readonly id: string | undefined; readonly epoch: bigint } | undefined;
  #quiesceEnd: ReturnType<typeof setTimeout> | undefined;
  /** The generation that the program adapts to now. */
  #adapting: {
    readonly epoch: string;
    readonly generation: Generation;
    readonly abort: AbortController;
  } | undefined;
  /** How the last adaptation ended, to be reported again after a reconnect. */
  #verdict: { readonly generation: Generation; readonly failure?: string } | undefined;

  /** @throws {ConnectError} when the options do not say how to connect */
  constructor(options: WatcherOptions) {
    this.#options = options;
    this.#token = options.resumeToken;
    this.#confirmedEpoch = options.epoch;
    this.ready = this.#ready.promise;
    this.done = this.#done.promise;
    // A program that waits for neither must not be ended by an unhandled rejection.
    this.ready.catch(() => {});
    this.done.catch(() => {});
    this.#connection = new WatchConnection({
      ...waysOf(options),
      connectMs: options.connectTimeoutMs,
      onFrame: (frame) => this.#receive(frame),
      onLost: (detail) => this.#lost(detail),
      onRefused: (error) => this.#giveUp(error),
    });
  }

  /** Its id, once it is registered. */
  get id(): string | undefined {
    return this.#id;
  }

  /** Whether barriers still wait for it after {@linkcode done}: it ended before it had confirmed. */
  get isLeftBehind(): boolean {
    return this.#isOutdated && this.#options.track !== false;
  }

  /** Whether somebody else ended it: its scope was deleted, or it was released. */
  get isGone(): boolean {
    return this.#isGone;
  }

  /**
   * Ends. The watcher is released, unless there is a generation that it has not confirmed: then it
   * reports that and is left behind, since a barrier must not open for who has not adapted
   * ({@linkcode isLeftBehind}, docs/generations.md#stop).
   */
  async stop(): Promise<void> {
    if (this.#isStopping) return await this.done;
    this.#isStopping = true;
    const adapting = this.#adapting;
    this.#adapting = undefined;
    adapting?.abort.abort();
    if (!this.#isRegistered || !this.#connection.isOpen) this.#end();
    else {
      this.#lastId = this.#nextId++;
      const { scope } = this.#options;
      const last = adapting === undefined
        ? { type: "unwatch", scope, epoch: this.#epoch }
        : failFrame(adapting.generation, "it was stopped before it had adapted");
      // A failure that was reported stays; nothing is left to say.
      if (adapting === undefined && this.isLeftBehind) this.#end();
      else this.#connection.send({ ...last, id: this.#lastId });
    }
    await this.done;
  }

  /**
   * Checks now whether the connection lives, instead of waiting for it to fall silent: for a program
   * that has just been restored, thawed or moved. Without an answer another connection is made at
   * once.
   *
   * @param withinMs How long the answer may take, in milliseconds
   * @returns Whether it has confirmed all that the daemon has told it of
   * @throws {Error} when it ends before the daemon has answered
   */
  async check(withinMs = CHECK_MS): Promise<boolean> {
    if (this.#isStopping) throw new Error("Cannot check: the watcher has ended");
    const answered = this.#answered ??= deferred();
    if (!this.#isRegistered) this.#connection.hurry();
    else this.#connection.send({ type: "ping", at: "check" });
    const timer = setTimeout(() => {
      if (this.#isRegistered) {
        this.#connection.renewNow(`no answer to a check within ${withinMs} ms`);
      }
    }, withinMs);
    try {
      await answered.promise;
    } finally {
      clearTimeout(timer);
    }
    return !this.#isOutdated;
  }

  /** Ends without releasing the watcher: the daemon holds it until its lease runs out. */
  disconnect(): void {
    this.#isStopping = true;
    this.#adapting?.abort.abort();
    this.#end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #receive(frame: Frame): void {
    if (frame.id !== undefined && frame.id === this.#lastId) return this.#stopped(frame);
    switch (frame.type) {
      case "hello":
        return this.#hello();
      case "pong":
        return this.#answer();
      case "watching":
        return this.#registered(frame);
      case "generation":
        return this.#notified(generationOf(frame));
      case "acked":
        return this.#acked(frame);
      case "quiesce":
        return void this.#quiesce(frame);
      case "unquiesce":
        return this.#unquiesced(frame);
      case "settled":
        return this.#resumeFor(frame["epoch"]);
      case "unwatched":
        this.#isGone = true;
        return this.#end();
      case "error":
        return this.#refused(frame);
    }
  }

  #hello(): void {
    const { socket, process = socket === undefined ? undefined : ownProcess } = this.#options;
    if (process === undefined) return this.#register();
    const hello = ++this.#hellos;
    // A connection that was made meanwhile says hello itself.
    const register = (own?: Readonly<Record<string, unknown>>): void => {
      if (hello === this.#hellos) this.#register(own);
    };
    process().then(register, () => register());
  }

  #register(process?: Readonly<Record<string, unknown>>): void {
    const { scope, name, track = true, leaseMs } = this.#options;
    const hasConfirmed = this.#token !== undefined && this.#confirmedEpoch !== undefined;
    this.#watchId = this.#nextId++;
    this.#connection.send({
      type: "watch",
      id: this.#watchId,
      scope,
      name,
      track,
      ...(leaseMs === undefined ? {} : { leaseMs }),
      ...(this.#token === undefined ? {} : { token: this.#token }),
      ...(hasConfirmed ? { epoch: this.#confirmedEpoch } : {}),
      ...(process === undefined ? {} : { process }),
    });
  }

  #registered(frame: Frame): void {
    this.#connection.accepted();
    this.#isRegistered = true;
    if (typeof frame["token"] === "string") {
      this.#token = frame["token"];
      this.#options.onResumeToken?.(this.#token);
    }
    this.#id = String(frame["watcher"]);
    this.#epoch = frame["epoch"] === undefined ? undefined : String(frame["epoch"]);
    this.#isOutdated = frame["outdated"] === true;
    // Whoever is new has seen nothing of the past, and has nothing to confirm.
    if (!this.#isOutdated && this.#epoch !== undefined) this.#hasConfirmed(this.#epoch);
    const isSame = frame["resumed"] === true;
    // A token that was spent before means that this process is a clone. What the original has
    // adapted to does not count for it.
    if (!isSame) this.#verdict = undefined;
    this.#options.onConnection?.("connected", isSame ? "as the same watcher" : "as a new watcher");
    this.#ready.resolve();
    this.#answer();
  }

  /** Whoever checks has an answer. */
  #answer(): void {
    this.#answered?.resolve();
    this.#answered = undefined;
  }

  #refused({ id, problem }: Frame): void {
    if (id !== this.#watchId || problem === undefined) return;
    // A later request may succeed, so it is made again over a new connection.
    if (problem.retryable) return this.#connection.renew(problem.detail);
    this.#giveUp(new ProblemError(problem));
  }

  /** Trying again would not help. */
  #giveUp(error: Error): void {
    this.#isStopping = true;
    this.#adapting?.abort.abort();
    this.#end(error);
  }

  #notified(generation: Generation): void {
    const { epoch } = generation;
    this.#epoch = epoch;
    // A notice can come twice, the second time after the ack.
    const isConfirmed = this.#verdict?.generation.epoch === epoch && !this.#verdict.failure;
    this.#isOutdated = !isConfirmed;
    if (!this.#isStopping) this.#adapt(generation);
  }

  #adapt(generation: Generation): void {
    const { epoch } = generation;
    if (this.#verdict?.generation.epoch === epoch) return this.#report();
    if (this.#adapting?.epoch === epoch) return;
    this.#adapting?.abort.abort();
    const adapting = { epoch, generation, abort: new AbortController() };
    this.#adapting = adapting;
    const { signal } = adapting.abort;
    const run = async (): Promise<void> => await this.#options.onGeneration(generation, signal);
    const end = (failure?: string): void => {
      if (this.#adapting !== adapting) return;
      this.#adapting = undefined;
      this.#verdict = { generation, ...(failure === undefined ? {} : { failure }) };
      this.#report();
    };
    run().then(() => end(), (error) => end(error instanceof Error ? error.message : String(error)));
  }

  /** Confirms, or reports the failure. */
  #report(): void {
    if (this.#verdict === undefined) return;
    const { generation, failure } = this.#verdict;
    this.#isOutdated = failure !== undefined;
    const id = this.#nextId++;
    if (failure === undefined) this.#acking.set(id, generation.epoch);
    this.#connection.send({
      id,
      ...(failure === undefined ? ackFrame(generation) : failFrame(generation, failure)),
    });
  }

  /** The daemon has taken a confirmation. Whoever has confirmed need not stand still any longer. */
  #acked({ id = -1 }: Frame): void {
    const epoch = this.#acking.get(id);
    this.#acking.delete(id);
    if (epoch === undefined) return;
    this.#hasConfirmed(epoch);
    this.#resumeFor(epoch);
  }

  #hasConfirmed(epoch: string): void {
    if (this.#confirmedEpoch === epoch) return;
    this.#confirmedEpoch = epoch;
    this.#options.onConfirmed?.(epoch);
  }

  async #quiesce(frame: Frame): Promise<void> {
    const { scope, reason, maxMs, quiesce, epoch } = frame as unknown as QuiesceRequest & {
      readonly quiesce?: string;
      readonly epoch?: string;
    };
    const { onQuiesce } = this.#options;
    const answer = (failure?: string): void =>
      this.#connection.send({
        ...{ type: "quiesced", id: this.#nextId++, scope },
        ...failure === undefined ? {} : { cannot: failure.slice(0, REASON_CHARS_MAX) || "?" },
        ...quiesce === undefined ? {} : { quiesce },
      });
    const quiesced = { id: quiesce, epoch: epoch === undefined ? -1n : BigInt(epoch) };
    this.#quiesced = quiesced;
    clearTimeout(this.#quiesceEnd);
    // The daemon ends the quiesce by then too. The program goes on even if it does not hear of that.
    this.#quiesceEnd = setTimeout(() => this.#resume(), maxMs);
    // Nobody is believed to stand still who has not been told how.
    if (onQuiesce === undefined) return answer("it has nothing that it could stop");
    try {
      await onQuiesce({ scope, reason, maxMs });
    } catch (error) {
      // It has not quiesced, so the waiting caller sees its name and why.
      return answer(error instanceof Error ? error.message : String(error));
    }
    // It may be over by now: the program goes on already.
    if (this.#quiesced === quiesced) answer();
  }

  #unquiesced({ quiesce }: Frame): void {
    if (quiesce === undefined || quiesce === this.#quiesced?.id) this.#resume();
  }

  /** A generation is settled or confirmed; an earlier one says nothing of a quiesce begun since. */
  #resumeFor(epoch: unknown): void {
    const isLater = this.#quiesced !== undefined && BigInt(String(epoch)) > this.#quiesced.epoch;
    if (isLater) this.#resume();
  }

  #resume(): void {
    clearTimeout(this.#quiesceEnd);
    if (this.#quiesced === undefined) return;
    this.#quiesced = undefined;
    this.#options.onResume?.();
  }

  /** The last frame of a stop was answered. */
  #stopped({ problem }: Frame): void {
    // There is a later generation. Any other refusal means that the watcher is not there any more.
    if (problem?.code === "stale-generation") this.#isOutdated = true;
    this.#end();
  }

  #lost(detail: string): void {
    this.#isRegistered = false;
    this.#acking.clear();
    if (this.#isStopping) this.#end();
    else this.#options.onConnection?.("lost", detail);
  }

  #end(error?: Error): void {
    this.#resume();
    this.#connection.close();
    this.#answered?.reject(error ?? new Error("The watcher was stopped while it was checked"));
    this.#ready.reject(error ?? new Error("The watcher was stopped before it was registered"));
    if (error === undefined) this.#done.resolve();
    else this.#done.reject(error);
  }
}

/** How the options open a WebSocket, and find out why they cannot. */
function waysOf(options: WatcherOptions): Pick<ConnectionParts, "open" | "whyRefused"> {
  if (options.open !== undefined) return { open: options.open };
  const opener = new SocketOpener(options, "/v1/watch");
  return {
    open: (protocol, signal) => opener.open(protocol, signal),
    whyRefused: (signal) => opener.whyRefused(signal),
  };
}

function ackFrame({ scope, generation, epoch }: Generation): Record<string, unknown> {
  return { type: "ack", scope, generation, epoch };
}

function failFrame({ scope, generation }: Generation, reason: string): Record<string, unknown> {
  return { type: "fail", scope, generation, reason: reason.slice(0, REASON_CHARS_MAX) || "?" };
}

function generationOf(frame: Frame): Generation {
  const { scope, generation, epoch, unique, reason } = frame as unknown as Generation;
  return { scope, generation, epoch, unique, reason };
}
