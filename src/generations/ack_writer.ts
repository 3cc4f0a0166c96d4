import { commit } from "../core/commit.ts";
import { ACK_FLUSH_MS } from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { Ledger } from "../core/ports/ledger.ts";
import type { Changes } from "./changes.ts";
import { watcherEntry } from "./records.ts";
import type { Scope } from "./scope.ts";

/**
 * Brings confirmations to the ledger in groups, afterwards: losing one in a crash only makes the
 * watcher confirm again.
 */
export class AckWriter {
  readonly #state: Scope;
  readonly #changes: Changes;
  readonly #ledger: Ledger;
  readonly #clock: Clock;
  /** Watchers whose last confirmation is not in the ledger yet. */
  readonly #unsaved = new Set<string>();
  #cancel: (() => void) | undefined;

  constructor(
    state: Scope,
    changes: Changes,
    { ledger, clock }: { readonly ledger: Ledger; readonly clock: Clock },
  ) {
    this.#state = state;
    this.#changes = changes;
    this.#ledger = ledger;
    this.#clock = clock;
  }

  /** Writes what a watcher has confirmed, soon. */
  saveSoon(id: string): void {
    this.#unsaved.add(id);
    this.#cancel ??= this.#clock.after(ACK_FLUSH_MS, () => {
      // A failing ledger shows itself at the next bump.
      this.#changes.last(() => this.flush()).catch(() => {});
    });
  }

  /** Forgets a watcher that is no longer kept. */
  forget(id: string): void {
    this.#unsaved.delete(id);
  }

  /** Writes what is still to be written. */
  async flush(): Promise<void> {
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#changes.isDeleted || this.#unsaved.size === 0) return;
    // As they are now: an entry of the time of the ack would bring a spent token back.
    const entries = [...this.#unsaved].filter((id) => this.#state.has(id))
      .map((id) => this.#state.watcher(id)).filter(({ tracked }) => tracked)
      .map((watcher) => watcherEntry(this.#state.name, watcher));
    this.#unsaved.clear();
    await commit(this.#ledger, entries);
  }
}
