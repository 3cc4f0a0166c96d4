import { Fault } from "../core/faults.ts";
import { commit } from "../core/commit.ts";
import { msSince } from "../core/moment.ts";
import type { LedgerEntry } from "../core/ports/ledger.ts";
import { History } from "./history.ts";
import { historyGone, type PastBump } from "./past_bump.ts";
import type { Once, Replays } from "./replays.ts";
import { ACK_FLUSH_MS, U32_MAX } from "../core/limits.ts";
import {
  type BarrierOpen,
  type BarrierRequest,
  blockedFault,
  judge,
  unmetFault,
} from "./barrier.ts";
import { type Bump, mintBump } from "./bump.ts";
import { Changes, type ScopeListener, type Wait } from "./changes.ts";
import type { Pages, ReadonlyPages } from "./pages.ts";
import { judgeQuiesce, notQuiescedFault } from "./quiesce.ts";
import { scopeEntry, watcherGone } from "./records.ts";
import type { ScopePorts } from "./scope_ports.ts";
import { ScopeWatchers } from "./scope_watchers.ts";
import type { BegunQuiesce, Quiesce } from "./quiescing.ts";
import type { Scope, ScopeState } from "./scope.ts";
import type { ScopeOptions } from "./scope_options.ts";

/** What a bump is to be. */
interface BumpRequest {
  /** The least generation wanted: the next one is max(current + 1, minimum). */
  readonly minimum?: number | undefined;
  /** The least epoch, where pages have shown a later one. */
  readonly floorEpoch?: bigint | undefined;
  /** Bump although the scope is not quiesced. */
  readonly force?: boolean | undefined;
  readonly reason: string;
  /** Who requests it, for the history. */
  readonly by: string;
  /** Bump only once, however often this very request comes. */
  readonly once?: Once | undefined;
}

/** What a live scope needs from outside. */
export interface LiveScopePorts extends ScopePorts {
  readonly replays: Replays;
}

/**
 * One scope made durable and published. A bump goes: ledger commit, page store, memory, listeners.
 * Whoever is notified of a generation finds it or a later one in the page, and no generation is
 * ever used for two events (docs/generations.md#3).
 */
export class LiveScope {
  readonly watchers: ScopeWatchers;
  readonly #ports: LiveScopePorts;
  readonly #scope: Scope;
  readonly #pages: Pages;
  readonly #changes: Changes;
  readonly #history: History;
  #cancelSave: (() => void) | undefined;
  #cancelQuiesce: (() => void) | undefined;
  #isStopped = false;
  /** Whether the last look at the pages failed. */
  #isUnusable = false;

  /** @param past The bumps of it that the ledger has */
  constructor(scope: Scope, pages: Pages, ports: LiveScopePorts, past: readonly PastBump[] = []) {
    this.#ports = ports;
    this.#history = new History(scope.name, past);
    scope.msSince = (moment) => msSince(ports.clock, moment);
    this.#scope = scope;
    this.#pages = pages;
    this.#changes = new Changes(scope.name, ports);
    this.watchers = new ScopeWatchers(scope, this.#changes, ports);
    this.#changes.listen((change) => {
      if (change.kind === "settled") this.#onSettled(change.settled.tookMs);
    });
  }

  /** The scope as it is, to be read only. */
  get state(): ScopeState {
    return this.#scope;
  }

  /** Whether it is deleted, or about to be closed after that. */
  get isDeleted(): boolean {
    return this.#changes.isDeleted;
  }

  /** The pages of the scope, to be read only. */
  get pages(): ReadonlyPages {
    return this.#pages;
  }

  /** The last bumps, newest first. */
  get history(): readonly PastBump[] {
    return this.#history.bumps;
  }

  /**
   * Changes the generation. Nothing else does (docs/generations.md#12).
   *
   * @returns The bump, and how many tracked watchers it made outdated
   * @throws {Fault} `minimum-out-of-range`, `not-quiesced`, `state-unavailable`, `page-unusable`,
   * `key-reused`, `keys-exhausted`
   */
  async bump(request: BumpRequest): Promise<{ bump: Bump; outdated: number }> {
    const { minimum = 0, floorEpoch = 0n, reason, by } = request;
    if (!Number.isInteger(minimum) || minimum < 0 || minimum > U32_MAX) {
      throw new Fault(
        "minimum-out-of-range",
        `Cannot bump scope "${this.#scope.name}": minimum must be a whole number from 0 to ` +
          `${U32_MAX}: received ${minimum}`,
      );
    }
    return await this.#changes.change(async () => {
      const { options, isQuiesced, generation } = this.#scope;
      const answered = request.once && this.#ports.replays.find(request.once);
      if (answered !== undefined) return { bump: answered.bump, outdated: answered.outdated };
      if (request.force !== true && options.requireQuiesce && !isQuiesced) {
        throw notQuiescedFault(this.#scope);
      }
      this.#mendPages();
      const { generation: following, epoch: counted } = this.#scope.next(minimum);
      const next = this.#pages.unseen({
        generation: following,
        epoch: counted < floorEpoch ? floorEpoch : counted,
      });
      const bump = mintBump(this.#ports, next, reason, by);
      const past = this.#foretold(bump);
      const { afterBump } = this.#scope.past;
      await this.#commit({ current: bump, previousGeneration: generation, ...afterBump }, [
        ...this.#history.entries(past),
        ...request.once === undefined ? [] : this.#ports.replays.entries(request.once, past),
      ]);
      this.#history.saved();
      try {
        this.#pages.store(bump);
      } catch (error) {
        // The ledger has the value and a page may show it, so it counts as used, unannounced.
        this.#scope.apply(bump);
        this.#changes.notify({ kind: "blocked" });
        throw error;
      }
      const published = this.#publish(bump);
      if (request.once !== undefined) this.#ports.replays.add(request.once, published);
      return published;
    });
  }

  /**
   * Compares the pages with what was stored into them last, and mends what somebody else wrote there
   * (docs/generations.md#foreign). It throws nothing: a page that cannot be mended is an event.
   */
  inspectPages(): void {
    if (this.#isStopped) return;
    try {
      this.#mendPages();
      this.#isUnusable = false;
    } catch (error) {
      if (!this.#isUnusable) this.#changes.emit("page.unusable", {}, (error as Error).message);
      this.#isUnusable = true;
    }
  }

  /** Gives the scope other options. */
  async configure(options: ScopeOptions): Promise<void> {
    await this.#changes.change(async () => {
      await this.#commit({ options, broken: new Set() });
      const settled = this.#scope.configure(options, this.#ports.clock.wallNs());
      this.watchers.reconsider();
      this.#changes.emit("scope.configured", { ...options });
      this.#changes.notify({ kind: "blocked" });
      if (settled !== undefined) this.#changes.notify({ kind: "settled", settled });
    });
  }

  /**
   * Asks the watchers to quiesce: to stop using what a bump would change under their hands. It
   * ends with a bump, by {@linkcode unquiesce}, or after its time (docs/generations.md#10).
   */
  async beginQuiesce(request: Quiesce): Promise<BegunQuiesce> {
    return await this.#changes.change(() => {
      const { clock, random } = this.#ports;
      const id = `q-${random.bytes(8).toHex()}`;
      const quiesce = { ...request, id, epoch: this.#scope.epoch, atNs: clock.wallNs() };
      this.#scope.beginQuiesce(quiesce);
      this.#cancelQuiesce?.();
      this.#cancelQuiesce = clock.after(
        quiesce.maxMs,
        () => this.#unquiesce(`it lasted ${quiesce.maxMs} ms without a bump`),
      );
      const { maxMs, reason } = quiesce;
      this.#changes.emit("scope.quiescing", { maxMs, quiesce: id }, reason);
      this.#changes.notify({ kind: "quiesce", quiesce });
      if (this.#scope.isQuiesced) this.#changes.notify({ kind: "quiesced" });
      return quiesce;
    });
  }

  /** Lets the watchers go on. It does nothing when no quiesce is on. */
  async unquiesce(reason: string): Promise<void> {
    await this.#changes.change(() => this.#unquiesce(reason));
  }

  /**
   * Waits until every tracked watcher has quiesced.
   *
   * @throws {Fault} `not-quiescing` when no quiesce is on; `not-quiesced` naming who is late, and at
   * once when somebody has said that it cannot
   */
  async quiesced(wait: Wait): Promise<void> {
    const done = await this.#changes.wait(() => judgeQuiesce(this.#scope), wait);
    if (done === undefined) throw notQuiescedFault(this.#scope);
  }

  /**
   * Waits until every tracked watcher has confirmed the generation that is current now, and every
   * expectation is met.
   *
   * @throws {Fault} as {@linkcode judge}; `watchers-outdated` or `expectations-unmet` (both ETIME)
   * when the time is up
   */
  async barrier(request: BarrierRequest, wait: Wait): Promise<BarrierOpen> {
    const boundEpoch = request.epoch ?? this.#scope.epoch;
    const open = await this.#changes.wait(() => judge(this.#scope, request, boundEpoch), {
      ...wait,
      // With a count of its own it has to look at each ack, not only at the last.
      eachStep: request.atLeast !== undefined,
    });
    if (open !== undefined) return open;
    throw this.lateFault(request);
  }

  /**
   * Judges whether the barrier is open at this moment.
   *
   * @param boundEpoch The epoch that was current when the caller came
   * @throws {Fault} `scope-not-found` when the scope is deleted; as {@linkcode judge}
   */
  judge(request: BarrierRequest, boundEpoch: bigint): BarrierOpen | undefined {
    this.#changes.requireAlive();
    return judge(this.#scope, request, boundEpoch);
  }

  /** The fault of a caller of the barrier whose time is up. */
  lateFault(request: BarrierRequest): Fault {
    const late = [...this.#scope.late()];
    const { names, missing } = this.#scope.unmet(request.atLeast);
    return late.length === 0 && (names.length > 0 || missing > 0)
      ? unmetFault(this.#scope, request)
      : blockedFault("watchers-outdated", this.#scope, late);
  }

  /**
   * Waits for another generation than one that is known already.
   *
   * @returns `undefined` when there was none in time
   */
  async changed(knownEpoch: bigint, wait: Wait): Promise<Bump | undefined> {
    return await this.#changes.wait(() => {
      const { current } = this.#scope;
      return current.epoch === knownEpoch ? undefined : current;
    }, wait);
  }

  /** Calls `listener` on every change until the returned function is called. */
  listen(listener: ScopeListener): () => void {
    return this.#changes.listen(listener);
  }

  /** Calls `follower` on every step of every watcher until the returned function is called. */
  follow(follower: () => void): () => void {
    return this.#changes.follow(follower);
  }

  /**
   * Deletes the scope with its watchers. The page files and the counter stay.
   *
   * @throws {Fault} `scope-in-use` while tracked watchers exist, unless forced
   */
  async delete(force: boolean): Promise<void> {
    await this.#changes.change(async () => {
      const { name } = this.#scope;
      // Stop new registrations and wait for pending ones; otherwise a pending one would write its
      // ledger row after we deleted the scope's.
      const letIn = this.#changes.shut();
      try {
        await this.watchers.registered();
        const { tracked } = this.#scope.counts;
        if (tracked > 0 && !force) {
          throw new Fault(
            "scope-in-use",
            `Cannot delete scope "${name}": it has ${tracked} tracked watchers; release them first`,
          );
        }
        await commit(this.#ports.ledger, [
          scopeEntry(this.#scope, { deleted: true }),
          ...[...this.#scope.watchers].map((watcher) => watcherGone(name, watcher.id)),
          ...historyGone(name, this.#history.bumps),
        ]);
      } catch (error) {
        letIn();
        throw error;
      }
      this.#changes.notify({ kind: "deleted" });
      await this.#stop();
      this.#changes.emit("scope.deleted", {});
    });
  }

  /** Writes what is still to be written and closes the pages. */
  async close(): Promise<void> {
    this.#cancelQuiesce?.();
    await this.#changes.last(async () => {
      // A deletion that came before has closed everything.
      if (!this.#changes.isDeleted) await this.#stop();
    });
  }

  /** What a bump is going to do, as its own commit writes it. */
  #foretold(bump: Bump): PastBump {
    const { counts: { tracked }, options: { expect, atLeast } } = this.#scope;
    const isSettledAtOnce = tracked === 0 && expect.length === 0 && atLeast === 0;
    // Every tracked watcher is outdated by it.
    return { bump, outdated: tracked, tookMs: isSettledAtOnce ? 0 : undefined };
  }

  #mendPages(): void {
    for (const { page, found } of this.#pages.inspect()) {
      const { generation, epoch } = this.#scope;
      const { path } = this.#pages[page];
      this.#changes.emit(
        "page.mended",
        { page, path, found, generation, epoch },
        "it did not show what was stored last: something else wrote there; mount it read-only",
      );
    }
  }

  async #stop(): Promise<void> {
    this.#isStopped = true;
    this.#cancelQuiesce?.();
    try {
      await this.watchers.close();
      await this.#save();
    } finally {
      this.#pages.close();
    }
  }

  async #commit(
    change: Parameters<typeof scopeEntry>[1],
    others: readonly LedgerEntry[] = [],
  ): Promise<void> {
    await commit(this.#ports.ledger, [scopeEntry(this.#scope, change), ...others]);
  }

  #publish(bump: Bump): { bump: Bump; outdated: number } {
    this.#cancelQuiesce?.();
    const settled = this.#scope.apply(bump);
    const { outdated } = this.#scope.counts;
    this.#history.add({ bump, outdated, tookMs: undefined });
    const { generation, epoch, unique, reason, by } = bump;
    this.#changes.emit("scope.bumped", { generation, epoch, unique, by, outdated }, reason);
    this.#changes.notify({ kind: "generation", bump });
    if (settled !== undefined) this.#changes.notify({ kind: "settled", settled });
    return { bump, outdated };
  }

  #onSettled(tookMs: number): void {
    const { generation, epoch } = this.#scope;
    if (this.#history.settled(epoch, tookMs)) this.#saveSoon();
    this.#changes.emit("scope.settled", { generation, epoch, tookMs });
  }

  /** Has what is not in the ledger written, if no bump does that before. */
  #saveSoon(): void {
    this.#cancelSave?.();
    this.#cancelSave = this.#ports.clock.after(ACK_FLUSH_MS, () => {
      // A ledger that fails shows itself at the next bump.
      this.#changes.last(() => this.#save()).catch(() => {});
    });
  }

  async #save(): Promise<void> {
    this.#cancelSave?.();
    const entries = this.#changes.isDeleted ? [] : this.#history.unsaved();
    if (entries.length === 0) return;
    await commit(this.#ports.ledger, entries);
    this.#history.saved();
  }

  #unquiesce(reason: string): void {
    const { quiesce } = this.#scope;
    if (quiesce === undefined) return;
    this.#cancelQuiesce?.();
    this.#scope.endQuiesce();
    this.#changes.emit("scope.unquiesced", { quiesce: quiesce.id }, reason);
    this.#changes.notify({ kind: "unquiesce", quiesce });
  }
}
