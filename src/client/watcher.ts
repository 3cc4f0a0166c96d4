import type { Problem } from "../wire/problem.ts";
import { WATCH_PROTOCOL } from "../wire/subprotocols.ts";
import { ProblemError } from "./problem_error.ts";

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

/** A quiesce that a program is asked to follow. */
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
  /** The quiesce is over: by a bump that all confirmed, or without one. */
  readonly onResume?: () => void;
  /** Every connection that is made or lost, for a log. */
  readonly onConnection?: (state: "connected" | "lost", detail: string) => void;
}

/** A frame of the server. */
interface Frame {
  readonly type: string;
  readonly id?: number;
  readonly problem?: Problem;
  readonly [member: string]: unknown;
}

const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 5_000;
/** The server pings more often than this; silence means that the connection is dead. */
const SILENCE_MS = 45_000;

/**
 * A program's watcher of one scope: it reconnects as the same watcher, adapts once to each
 * generation that it has to know of, and confirms exactly that one. Web standards only.
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
  readonly #ready = Promise.withResolvers<void>();
  readonly #done = Promise.withResolvers<void>();
  #socket: WebSocket | undefined;
  #token: string | undefined;
  #nextId = 1;
  #watchId = 0;
  #unwatchId: number | undefined;
  #isQuiesced = false;
  #quiesceEnd: ReturnType<typeof setTimeout> | undefined;
  #retryMs = RETRY_MS_MIN;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopping = false;
  #isRegistered = false;
  /** The generation that is being adapted to. */
  #adapting: { readonly epoch: string; readonly abort: AbortController } | undefined;
  /** How the last adaptation ended, to be said again after a reconnect. */
  #verdict: { readonly generation: Generation; readonly failure?: string } | undefined;

  constructor(options: WatcherOptions) {
    this.#options = options;
    this.ready = this.#ready.promise;
    this.done = this.#done.promise;
    // Whoever waits for neither must not be ended by an unhandled rejection.
    this.ready.catch(() => {});
    this.done.catch(() => {});
    void this.#connect();
  }

  /** Releases the watcher, so that no barrier waits for it any more, and ends. */
  async stop(): Promise<void> {
    if (this.#stopping) return await this.done;
    this.#stopping = true;
    this.#adapting?.abort.abort();
    if (this.#isRegistered && this.#socket?.readyState === WebSocket.OPEN) {
      this.#unwatchId = this.#nextId++;
      this.#send({ type: "unwatch", id: this.#unwatchId, scope: this.#options.scope });
    } else this.#end();
    await this.done;
  }

  /** Ends without a word: the daemon holds the watcher until its lease runs out. */
  disconnect(): void {
    this.#stopping = true;
    this.#adapting?.abort.abort();
    this.#end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #connect(): Promise<void> {
    try {
      const socket = await this.#options.open(WATCH_PROTOCOL);
      if (this.#stopping) return socket.close();
      this.#socket = socket;
      socket.onmessage = ({ data }) => this.#receive(JSON.parse(String(data)));
      socket.onclose = ({ code, reason }) => this.#lost(socket, reason || `closed with ${code}`);
      socket.onerror = () => socket.close();
    } catch (error) {
      this.#retry(error instanceof Error ? error.message : String(error));
    }
  }

  #receive(frame: Frame): void {
    this.#watchSilence();
    // Any answer to the release will do: a watcher that is not there any more is released too.
    if (frame.id !== undefined && frame.id === this.#unwatchId) return this.#end();
    switch (frame.type) {
      case "hello":
        return this.#register();
      case "ping":
        return this.#send({ type: "pong", at: frame["at"] });
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
    this.#send({
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
    this.#retryMs = RETRY_MS_MIN;
    this.#isRegistered = true;
    if (typeof frame["token"] === "string") this.#token = frame["token"];
    const isSame = frame["resumed"] === true;
    // A token that was spent before means that this process is a clone: what the original has
    // adapted to does not count for it.
    if (!isSame) this.#verdict = undefined;
    this.#options.onConnection?.("connected", isSame ? "as the same watcher" : "as a new watcher");
    this.#ready.resolve();
  }

  #refused({ id, problem }: Frame): void {
    if (id !== this.#watchId || problem === undefined) return;
    // It may pass: the daemon is asked again over a new connection.
    if (problem.retryable && this.#socket !== undefined) {
      return this.#lost(this.#socket, problem.detail);
    }
    const error = new ProblemError(problem);
    this.#stopping = true;
    this.#ready.reject(error);
    this.#end(error);
  }

  #adapt(generation: Generation): void {
    const { epoch } = generation;
    if (this.#verdict?.generation.epoch === epoch) return this.#say();
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
      this.#say();
    };
    run().then(() => end(), (error) => end(error instanceof Error ? error.message : String(error)));
  }

  /** Confirms, or says that it failed. */
  #say(): void {
    if (this.#verdict === undefined) return;
    const { generation: { scope, generation, epoch }, failure } = this.#verdict;
    const id = this.#nextId++;
    if (failure === undefined) this.#send({ type: "ack", id, scope, generation, epoch });
    else this.#send({ type: "fail", id, scope, generation, reason: failure.slice(0, 256) || "?" });
  }

  async #quiesce(request: QuiesceRequest): Promise<void> {
    this.#isQuiesced = true;
    clearTimeout(this.#quiesceEnd);
    // The daemon ends it by then too; told or not, the program goes on.
    this.#quiesceEnd = setTimeout(() => this.#resume(), request.maxMs);
    try {
      await this.#options.onQuiesce?.(request);
    } catch {
      // It has not quiesced, so it does not say that it has: the waiting caller names it.
      return;
    }
    this.#send({ type: "quiesced", id: this.#nextId++, scope: request.scope });
  }

  #resume(): void {
    clearTimeout(this.#quiesceEnd);
    if (!this.#isQuiesced) return;
    this.#isQuiesced = false;
    this.#options.onResume?.();
  }

  #send(frame: Record<string, unknown>): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  #watchSilence(): void {
    clearTimeout(this.#timer);
    const socket = this.#socket;
    this.#timer = setTimeout(() => socket && this.#lost(socket, "silent for too long"), SILENCE_MS);
  }

  #lost(socket: WebSocket, detail: string): void {
    if (socket !== this.#socket) return;
    this.#socket = undefined;
    this.#isRegistered = false;
    socket.onclose = null;
    socket.close();
    this.#retry(detail);
  }

  #retry(detail: string): void {
    clearTimeout(this.#timer);
    if (this.#stopping) return this.#end();
    this.#options.onConnection?.("lost", detail);
    // Spread out, so that a thousand watchers do not come back in the same instant.
    const delayMs = this.#retryMs * (0.5 + Math.random());
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS_MAX);
    this.#timer = setTimeout(() => void this.#connect(), delayMs);
  }

  #end(error?: Error): void {
    clearTimeout(this.#timer);
    this.#resume();
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
    if (error === undefined) this.#done.resolve();
    else this.#done.reject(error);
  }
}

function generationOf(frame: Frame): Generation {
  const { scope, generation, epoch, unique, reason } = frame as unknown as Generation;
  return { scope, generation, epoch, unique, reason };
}
