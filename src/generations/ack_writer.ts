import { commit } from "../core/commit.ts";
import { ACK_FLUSH_MS } from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { Ledger } from "../core/ports/ledger.ts";
import type { Changes } from "./changes.ts";
import { watcherEntry } from "./records.ts";
import type { ScopeState } from "./scope.ts";

/**
 * Writes acks to the ledger in groups, a little later. Losing one in a crash only makes the watcher
 * confirm again (docs/generations.md#9).
 */
export class AckWriter {
  readonly #scope: ScopeState;
  readonly #changes: Changes;
  readonly #ledger: Ledger;
  readonly #clock: Clock;
  /** Watchers whose last ack is not in the ledger yet. */
  readonly #unsaved = new Set<string>();
  #cancel: (() => void) | undefined;

  constructor(
    scope: ScopeState,
    changes: Changes,
    { ledger, clock }: { readonly ledger: Ledger; readonly clock: Clock },
  ) {
    this.#scope = scope;
    this.#changes = changes;
    this.#ledger = ledger;
    this.#clock = clock;
  }

  /** Has the last ack of a watcher written soon. */
  saveSoon(id: string): void {
    this.#unsaved.add(id);
    this.#cancel ??= this.#clock.after(ACK_FLUSH_MS, () => {
      // A ledger that fails shows itself at the next bump.
      this.#changes.last(() => this.flush()).catch(() => {});
    });
  }

  /** Drops a watcher that is no longer in the ledger. */
  forget(id: string): void {
    this.#unsaved.delete(id);
  }

  /** Writes what is still to be written. */
  async flush(): Promise<void> {
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#changes.isDeleted || this.#unsaved.size === 0) return;
    // The watchers as they are now: an entry as of the ack would bring a spent token back.
    const entries = [...this.#unsaved].filter((id) => this.#scope.has(id))
      .map((id) => this.#scope.watcher(id)).filter(({ tracked }) => tracked)
      .map((watcher) => watcherEntry(this.#scope.name, watcher));
    this.#unsaved.clear();
    await commit(this.#ledger, entries);
  }
}
