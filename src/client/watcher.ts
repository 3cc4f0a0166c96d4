import { ProblemError } from "./problem_error.ts";
import { type Frame, WatchConnection } from "./watch_connection.ts";

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

/** What a watcher does, and how it connects. */
export interface WatcherOptions {
  readonly scope: string;
  readonly name: string;
  /** Whether barriers wait for it. True when it is left out. */
  readonly track?: boolean;
  readonly leaseMs?: number;
  /** Opens a WebSocket to `/v1/watch` with the given subprotocol. */
  readonly open: (protocol: string) => WebSocket | Promise<WebSocket>;
  /**
   * Adapts to a generation. The watcher confirms once this resolves, and reports a failure with
   * the error's message once it rejects. `signal` fires when a newer generation makes it void.
   */
  readonly onGeneration: (generation: Generation, signal: AbortSignal) => Promise<void> | void;
  /** Stops using what a bump would change; the watcher says so once this resolves. */
  readonly onQuiesce?: (request: QuiesceRequest) => Promise<void> | void;
  /** The quiesce is over, by a bump that everybody confirmed or without one. */
  readonly onResume?: () => void;
  /** Hears of every connection that is made or lost, for a log. */
  readonly onConnection?: (state: "connected" | "lost", detail: string) => void;
}

/**
 * A program's watcher of one scope. It reconnects as the same watcher, adapts once to each
 * generation, and confirms exactly that one. Web standards only.
 *
 * @example
 * ```ts ignore
 * const watcher = new Watcher({
 *   scope: "vm-7",
 *   name: "app",
 *   open: (protocol) => new WebSocket("ws://127.0.0.1:8787/v1/watch", protocol),
 *   onGeneration: async ({ unique }) => await reseed(unique),
 * });
 * await watcher.ready;
 * ```
 */
export class Watcher implements AsyncDisposable {
  /** Resolves once the watcher is registered; rejects when the daemon refuses it. */
  readonly ready: Promise<void>;
  /** Resolves after {@linkcode stop}; rejects when the daemon refuses the watcher for good. */
  readonly done: Promise<void>;
  readonly #options: WatcherOptions;
  readonly #connection: WatchConnection;
  readonly #ready = Promise.withResolvers<void>();
  readonly #done = Promise.withResolvers<void>();
  #token: string | undefined;
  #nextId = 1;
  #watchId = 0;
  #unwatchId: number | undefined;
  #isRegistered = false;
  #isStopping = false;
  #isQuiesced = false;
  #quiesceEnd: ReturnType<typeof setTimeout> | undefined;
  /** The generation that the program adapts to now. */
  #adapting: { readonly epoch: string; readonly abort: AbortController } | undefined;
  /** How the last adaptation ended, to be reported again after a reconnect. */
  #verdict: { readonly generation: Generation; readonly failure?: string } | undefined;

  constructor(options: WatcherOptions) {
    this.#options = options;
    this.ready = this.#ready.promise;
    this.done = this.#done.promise;
    // A program that waits for neither must not be ended by an unhandled rejection.
    this.ready.catch(() => {});
    this.done.catch(() => {});
    this.#connection = new WatchConnection({
      open: options.open,
      onFrame: (frame) => this.#receive(frame),
      onLost: (detail) => this.#lost(detail),
    });
  }

  /** Releases the watcher, so that no barrier waits for it any more, and ends. */
  async stop(): Promise<void> {
    if (this.#isStopping) return await this.done;
    this.#isStopping = true;
    this.#adapting?.abort.abort();
    if (this.#isRegistered && this.#connection.isOpen) {
      this.#unwatchId = this.#nextId++;
      const { scope } = this.#options;
      this.#connection.send({ type: "unwatch", id: this.#unwatchId, scope });
    } else this.#end();
    await this.done;
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
    // Any answer to the release will do: a watcher that is not there any more is released too.
    if (frame.id !== undefined && frame.id === this.#unwatchId) return this.#end();
    switch (frame.type) {
      case "hello":
        return this.#register();
      case "watching":
        return this.#registered(frame);
      case "generation":
        return this.#adapt(generationOf(frame));
      case "quiesce":
        return void this.#quiesce(frame as unknown as QuiesceRequest);
      case "unquiesce":
      case "settled":
        return this.#resume();
      case "unwatched":
        return this.#end();
      case "error":
        return this.#refused(frame);
    }
  }

  #register(): void {
    const { scope, name, track = true, leaseMs } = this.#options;
    this.#watchId = this.#nextId++;
    this.#connection.send({
      type: "watch",
      id: this.#watchId,
      scope,
      name,
      track,
      ...(leaseMs === undefined ? {} : { leaseMs }),
      ...(this.#token === undefined ? {} : { token: this.#token }),
    });
  }

  #registered(frame: Frame): void {
    this.#connection.accepted();
    this.#isRegistered = true;
    if (typeof frame["token"] === "string") this.#token = frame["token"];
    const isSame = frame["resumed"] === true;
    // A token that was spent before means that this process is a clone. What the original has
    // adapted to does not count for it.
    if (!isSame) this.#verdict = undefined;
    this.#options.onConnection?.("connected", isSame ? "as the same watcher" : "as a new watcher");
    this.#ready.resolve();
  }

  #refused({ id, problem }: Frame): void {
    if (id !== this.#watchId || problem === undefined) return;
    // A later request may succeed, so it is made again over a new connection.
    if (problem.retryable) return this.#connection.renew(problem.detail);
    const error = new ProblemError(problem);
    this.#isStopping = true;
    this.#ready.reject(error);
    this.#end(error);
  }

  #adapt(generation: Generation): void {
    const { epoch } = generation;
    if (this.#verdict?.generation.epoch === epoch) return this.#report();
    if (this.#adapting?.epoch === epoch) return;
    this.#adapting?.abort.abort();
    const adapting = { epoch, abort: new AbortController() };
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
    const { generation: { scope, generation, epoch }, failure } = this.#verdict;
    const id = this.#nextId++;
    if (failure === undefined) this.#connection.send({ type: "ack", id, scope, generation, epoch });
    else {this.#connection.send({
        type: "fail",
        id,
        scope,
        generation,
        reason: failure.slice(0, 256) || "?",
      });}
  }

  async #quiesce(request: QuiesceRequest): Promise<void> {
    this.#isQuiesced = true;
    clearTimeout(this.#quiesceEnd);
    // The daemon ends the quiesce by then too. The program goes on even if it does not hear of that.
    this.#quiesceEnd = setTimeout(() => this.#resume(), request.maxMs);
    try {
      await this.#options.onQuiesce?.(request);
    } catch {
      // It has not quiesced, so it does not say so, and the waiting caller sees its name.
      return;
    }
    this.#connection.send({ type: "quiesced", id: this.#nextId++, scope: request.scope });
  }

  #resume(): void {
    clearTimeout(this.#quiesceEnd);
    if (!this.#isQuiesced) return;
    this.#isQuiesced = false;
    this.#options.onResume?.();
  }

  #lost(detail: string): void {
    this.#isRegistered = false;
    if (this.#isStopping) this.#end();
    else this.#options.onConnection?.("lost", detail);
  }

  #end(error?: Error): void {
    this.#resume();
    this.#connection.close();
    if (error === undefined) this.#done.resolve();
    else this.#done.reject(error);
  }
}

function generationOf(frame: Frame): Generation {
  const { scope, generation, epoch, unique, reason } = frame as unknown as Generation;
  return { scope, generation, epoch, unique, reason };
}
