import { Leases } from "../core/leases.ts";
import { SUPERSEDED_LOOK_MS } from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { ScopeState } from "./scope.ts";

/** What follows from an absence. Each is called once for each time that was begun. */
interface Consequences {
  /** The lease of a watcher ran out. */
  lose(id: string): void;
  /** A watcher was lost for as long as the scope remembers those. */
  forget(id: string): void;
  /** It is time to look whether the process of a superseded watcher has ended. */
  look(id: string): void;
}

/** The times that run while watchers are away: their leases, and what comes after those. */
export class Absences {
  readonly #scope: ScopeState;
  readonly #consequences: Consequences;
  readonly #leases: Leases;

  constructor(clock: Clock, scope: ScopeState, consequences: Consequences) {
    this.#leases = new Leases(clock);
    this.#scope = scope;
    this.#consequences = consequences;
  }

  /** Begins the lease of a watcher, or begins it anew. */
  begin(id: string): void {
    const { leaseMs } = this.#scope.watcher(id);
    this.#leases.start(id, leaseMs, () => this.#consequences.lose(id));
  }

  /** Stops the lease of a watcher until the returned function is called. */
  hold(id: string): () => void {
    return this.#leases.hold(id);
  }

  /** Watchers whose lease has run out are forgotten after a time, where the scope says so. */
  lost(id: string): void {
    const { onLost, forgetLostMs } = this.#scope.options;
    this.#leases.end(memoryOf(id));
    if (onLost !== "open" || forgetLostMs === 0) return;
    this.#leases.start(memoryOf(id), forgetLostMs, () => this.#consequences.forget(id));
  }

  /** Has a superseded watcher looked at in a while. */
  lookSoon(id: string): void {
    this.#leases.start(endOf(id), SUPERSEDED_LOOK_MS, () => this.#consequences.look(id));
  }

  /** The scope has other options. */
  reconsider(): void {
    for (const { id, presence } of this.#scope.watchers) if (presence === "lost") this.lost(id);
  }

  /** A watcher is back, or is gone for good. */
  end(id: string): void {
    for (const name of [id, memoryOf(id), endOf(id)]) this.#leases.end(name);
  }

  /** Ends all times. */
  stop(): void {
    this.#leases.stop();
  }
}

// No watcher has such a name, since names have no spaces.
const memoryOf = (id: string): string => `memory of ${id}`;
const endOf = (id: string): string => `end of ${id}`;
