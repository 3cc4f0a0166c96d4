import { commit } from "../core/commit.ts";
import { BARRIER_NAMES_MAX } from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { Ledger, LedgerEntry } from "../core/ports/ledger.ts";
import { AckWriter } from "./ack_writer.ts";
import type { Changes } from "./changes.ts";
import type { Departure } from "./confirmations.ts";
import { scopeEntry, watcherEntry, watcherGone } from "./records.ts";
import type { Scope } from "./scope.ts";
import type { Watcher } from "./watcher.ts";

/** The watchers of one scope in the ledger. Only tracked ones are there (docs/generations.md#9). */
export class WatcherRows {
  readonly #scope: Scope;
  readonly #ledger: Ledger;
  readonly #acks: AckWriter;

  constructor(
    scope: Scope,
    changes: Changes,
    ports: { readonly ledger: Ledger; readonly clock: Clock },
  ) {
    this.#scope = scope;
    this.#ledger = ports.ledger;
    this.#acks = new AckWriter(scope, changes, ports);
  }

  async save(watcher: Watcher): Promise<void> {
    await this.#commit([watcherEntry(this.#scope.name, watcher)]);
  }

  async forget(id: string): Promise<void> {
    await this.#commit([watcherGone(this.#scope.name, id)]);
    this.#acks.forget(id);
  }

  /**
   * Writes a watcher that came back, and whoever it superseded, in one commit: a crash in between
   * would leave the barrier without one of them.
   */
  async replace(before: Watcher, after: Watcher, superseded: Watcher | undefined): Promise<void> {
    const { name } = this.#scope;
    const entries: LedgerEntry[] = [];
    if (after.tracked) entries.push(watcherEntry(name, after));
    else if (before.tracked) entries.push(watcherGone(name, before.id));
    if (superseded?.tracked === true) entries.push(watcherEntry(name, superseded));
    await this.#commit(entries);
    if (!after.tracked) this.#acks.forget(before.id);
  }

  /** What a release leaves behind must survive a restart as the release does. */
  async release({ id, name, tracked }: Watcher, why: Departure["why"]): Promise<void> {
    const brokenNow = this.#scope.brokenBy(id, why);
    const broken = new Set([...this.#scope.broken, ...brokenNow]);
    const departure = { id, name, why };
    const watcher = this.#scope.watcher(id);
    const isLate = tracked && this.#scope.isOutdated(watcher);
    const hasConfirmed = this.#scope.hasConfirmed(watcher) && watcher.supersededBy === undefined;
    const { gone, forgotten, departed } = this.#scope.past;
    const past = {
      broken,
      gone: hasConfirmed ? [...gone, watcher] : gone,
      forgotten: this.#with(forgotten, departure, why === "forgotten"),
      departed: this.#with(departed, departure, why !== "forgotten" && isLate),
    };
    const isRemembered = hasConfirmed && gone.length < BARRIER_NAMES_MAX;
    const isScopeChanged = brokenNow.length > 0 || why === "forgotten" || isLate || isRemembered;
    await this.#commit([
      ...tracked ? [watcherGone(this.#scope.name, id)] : [],
      ...isScopeChanged ? [scopeEntry(this.#scope, past)] : [],
    ]);
    if (tracked) this.#acks.forget(id);
  }

  /** Has the last ack of a watcher written soon. */
  saveAckSoon(id: string): void {
    this.#acks.saveSoon(id);
  }

  /** Writes what is still to be written. */
  flush(): Promise<void> {
    return this.#acks.flush();
  }

  #with(list: readonly Departure[], one: Departure, isNew: boolean): readonly Departure[] {
    return isNew ? [...list, one].slice(-BARRIER_NAMES_MAX) : list;
  }

  async #commit(entries: readonly LedgerEntry[]): Promise<void> {
    if (entries.length > 0) await commit(this.#ledger, entries);
  }
}
