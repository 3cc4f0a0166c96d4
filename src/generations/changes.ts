import { Fault } from "../core/faults.ts";
import { Serial } from "../core/serial.ts";
import type { Bump, Quiesce, Settled } from "./scope.ts";

/** What happened to a scope, told at once to whoever listens. */
export type ScopeChange =
  | { readonly kind: "generation"; readonly bump: Bump }
  | { readonly kind: "settled"; readonly settled: Settled }
  /** Somebody else came with this watcher's token: its connection no longer speaks for it. */
  | { readonly kind: "taken"; readonly watcher: string }
  /** A watcher failed or was lost: a barrier may have to answer. */
  | { readonly kind: "blocked" }
  | { readonly kind: "quiesce"; readonly quiesce: Quiesce }
  /** Somebody has quiesced. */
  | { readonly kind: "quiesced" }
  | { readonly kind: "unquiesce" }
  | { readonly kind: "deleted" };

/** Hears of the changes of one scope, in order. It must not throw. */
export type ScopeListener = (change: ScopeChange) => void;

/** The order in which one scope changes, and who is told. */
export class Changes {
  readonly #listeners = new Set<ScopeListener>();
  readonly #followers = new Set<() => void>();
  readonly #serial = new Serial();
  #deleted = false;
  #shut = false;

  /** @param name Of the scope */
  constructor(readonly name: string) {}

  get isDeleted(): boolean {
    return this.#deleted;
  }

  /**
   * Lets nobody in any more, as if the scope were deleted.
   *
   * @returns Lets them in again
   */
  shut(): () => void {
    this.#shut = true;
    return () => this.#shut = false;
  }

  /** @throws {Fault} `scope-not-found` when the scope is deleted, or being deleted */
  requireAlive(): void {
    if (this.#deleted || this.#shut) throw scopeNotFound(this.name);
  }

  /** Runs one change after the other, since each waits for the ledger. */
  change<Result>(task: () => Result | Promise<Result>): Promise<Result> {
    return this.#serial.run(() => {
      this.requireAlive();
      return task();
    });
  }

  /** Runs after all changes, also of a deleted scope. */
  last<Result>(task: () => Result | Promise<Result>): Promise<Result> {
    return this.#serial.run(task);
  }

  tell(change: ScopeChange): void {
    if (change.kind === "deleted") this.#deleted = true;
    for (const listener of this.#listeners) listener(change);
    this.progress();
  }

  /** Something about the watchers changed that only those want to know who follow each step. */
  progress(): void {
    for (const follower of this.#followers) follower();
  }

  /**
   * Calls `follower` on every step of every watcher, until the returned function is called. Apart
   * from {@linkcode listen}: thousands of watchers listen, and each confirmation is a step.
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
