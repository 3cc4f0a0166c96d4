import { Fault } from "../core/faults.ts";
import { BARRIER_MS_MAX } from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { EventSink } from "../core/ports/events.ts";
import { Serial } from "../core/serial.ts";
import { waitUntil } from "../core/wait_until.ts";
import type { Bump } from "./bump.ts";
import type { Settled } from "./phase.ts";
import type { BegunQuiesce } from "./quiescing.ts";

/** What happened to a scope. */
export type ScopeChange =
  | { readonly kind: "generation"; readonly bump: Bump }
  | { readonly kind: "settled"; readonly settled: Settled }
  /**
   * Somebody else came with this watcher's token: its connection no longer speaks for it, but for
   * the watcher that was superseded, if one was.
   */
  | { readonly kind: "taken"; readonly watcher: string; readonly superseded?: string | undefined }
  /** A watcher failed or was lost: a barrier may have to answer. */
  | { readonly kind: "blocked" }
  | { readonly kind: "quiesce"; readonly quiesce: BegunQuiesce }
  /** A watcher has quiesced, said that it cannot, or left and need not. */
  | { readonly kind: "quiesced" }
  | { readonly kind: "unquiesce"; readonly quiesce: BegunQuiesce }
  | { readonly kind: "deleted" };

/** Called at once with each change of one scope, in order. It must not throw. */
export type ScopeListener = (change: ScopeChange) => void;

/** How a caller waits. */
export interface Wait {
  /** How long at most, in milliseconds; 0 answers at once. */
  readonly waitMs: number;
  /** Ends the wait when the caller goes away. */
  readonly signal?: AbortSignal | undefined;
  /** Look at each step of every watcher too, not only at changes of the scope. */
  readonly eachStep?: boolean | undefined;
}

/** Orders the changes of one scope, notifies those who listen, and logs what happened. */
export class Changes {
  readonly #clock: Clock;
  readonly #events: EventSink;
  readonly #listeners = new Set<ScopeListener>();
  readonly #followers = new Set<() => void>();
  readonly #serial = new Serial();
  #deleted = false;
  #shut = false;

  /** @param name Of the scope */
  constructor(readonly name: string, { clock, events }: { clock: Clock; events: EventSink }) {
    this.#clock = clock;
    this.#events = events;
  }

  get isDeleted(): boolean {
    return this.#deleted;
  }

  /**
   * Refuses new changes, as if the scope were deleted.
   *
   * @returns Accepts them again
   */
  shut(): () => void {
    this.#shut = true;
    return () => this.#shut = false;
  }

  /** @throws {Fault} `scope-not-found` when the scope is deleted, or being deleted */
  requireAlive(): void {
    if (this.#deleted || this.#shut) throw scopeNotFound(this.name);
  }

  /** Runs changes one after the other, since each waits for the ledger. */
  change<Result>(task: () => Result | Promise<Result>): Promise<Result> {
    return this.#serial.run(() => {
      this.requireAlive();
      return task();
    });
  }

  /** Runs after all changes that have begun, also when the scope is deleted. */
  last<Result>(task: () => Result | Promise<Result>): Promise<Result> {
    return this.#serial.run(task);
  }

  /**
   * Looks now and at each change until there is something.
   *
   * @returns `undefined` when there was nothing in time
   * @throws {Fault} `scope-not-found` when the scope is deleted meanwhile; what `look` throws
   */
  wait<Found>(
    look: () => Found | undefined,
    { waitMs, signal, eachStep = false }: Wait,
  ): Promise<Found | undefined> {
    const lookAlive = (): Found | undefined => {
      this.requireAlive();
      return look();
    };
    const listen = (onChange: () => void): () => void =>
      eachStep ? this.follow(onChange) : this.listen(onChange);
    const waitAtMostMs = Math.min(waitMs, BARRIER_MS_MAX);
    return waitUntil(lookAlive, { clock: this.#clock, listen, waitMs: waitAtMostMs, signal });
  }

  /** Puts a change into the log of events. */
  emit(kind: string, data: Readonly<Record<string, unknown>>, reason?: string): void {
    const why = reason === undefined ? {} : { reason };
    const about = { kind: "scopes", name: this.name } as const;
    this.#events.emit({ kind, subject: this.name, ...why, data }, { about });
  }

  /** Calls everybody who listens. */
  notify(change: ScopeChange): void {
    if (change.kind === "deleted") this.#deleted = true;
    for (const listener of this.#listeners) listener(change);
    this.progress();
  }

  /** Notifies of a step of a watcher that matters to nobody but those who follow each step. */
  progress(): void {
    for (const follower of this.#followers) follower();
  }

  /**
   * Calls `follower` on every step of every watcher, until the returned function is called. It is
   * not part of {@linkcode listen} because thousands of watchers listen, and each ack is a step.
   */
  follow(follower: () => void): () => void {
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }

  /** Calls `listener` on every change until the returned function is called. */
  listen(listener: ScopeListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

/** The fault of a scope that does not exist. */
export function scopeNotFound(name: string): Fault {
  return new Fault(
    "scope-not-found",
    `Cannot find scope "${name}": make it with PUT /v1/scopes/${name}`,
  );
}
