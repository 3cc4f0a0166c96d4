import { Fault } from "../core/faults.ts";
import { commit } from "../core/commit.ts";
import { BARRIER_MS_MAX, HISTORY_BUMPS_MAX, U32_MAX } from "../core/limits.ts";
import { waitUntil } from "../core/wait_until.ts";
import { type BarrierAsk, type BarrierOpen, blockedFault, describe, judge } from "./barrier.ts";
import { Changes, type ScopeListener } from "./changes.ts";
import type { Pages } from "./pages.ts";
import { scopeEntry, watcherGone } from "./records.ts";
import { type ScopePorts, ScopeWatchers } from "./scope_watchers.ts";
import type { Bump, Quiesce, Scope } from "./scope.ts";
import type { ScopeOptions } from "./scope_options.ts";

/** What a bump asks for. */
interface BumpAsk {
  /** The least generation wanted: the next one is max(current + 1, minimum). */
  readonly minimum?: number | undefined;
  /** Bump although the scope is not quiesced. */
  readonly force?: boolean | undefined;
  readonly reason: string;
  /** Who asks, for the history. */
  readonly by: string;
}

/** A bump of the past. */
interface PastBump {
  readonly bump: Bump;
  /** Tracked watchers that it made outdated. */
  readonly outdated: number;
  /** Milliseconds until all had confirmed; `undefined` while they have not, or never did. */
  readonly tookMs: number | undefined;
}

/** How a caller waits. */
interface Wait {
  /** How long at most, in milliseconds; 0 answers at once. */
  readonly waitMs: number;
  /** Ends the wait when the caller goes away. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * One scope made durable and published. Each bump goes: ledger commit, page store, memory,
 * listeners. Whoever was told of a generation finds it or a later one in the page, and no
 * generation is ever used for two events (spec decision 3).
 */
export class LiveScope {
  readonly watchers: ScopeWatchers;
  readonly #ports: ScopePorts;
  readonly #changes: Changes;
  readonly #history: PastBump[] = [];
  #cancelQuiesce: (() => void) | undefined;

  constructor(readonly state: Scope, readonly pages: Pages, ports: ScopePorts) {
    this.#ports = ports;
    this.#changes = new Changes(state.name);
    this.watchers = new ScopeWatchers(state, this.#changes, ports);
    this.#changes.listen((change) => {
      if (change.kind === "settled") this.#onSettled(change.settled.tookMs);
    });
  }

  /** The last bumps, newest first. */
  get history(): readonly PastBump[] {
    return this.#history;
  }

  /**
   * The one door for a change of generation (the driver's sysgenid_bump_generation).
   *
   * @param floorEpoch The least epoch of the bump, where pages have shown a later one
   * @returns The bump and how many tracked watchers it made outdated
   * @throws {Fault} `minimum-out-of-range`, `not-quiesced`, `state-unavailable`
   */
  async bump(ask: BumpAsk, floorEpoch = 0n): Promise<{ bump: Bump; outdated: number }> {
    const { minimum = 0, reason, by } = ask;
    if (!Number.isInteger(minimum) || minimum < 0 || minimum > U32_MAX) {
      throw new Fault(
        "minimum-out-of-range",
        `Cannot bump scope "${this.state.name}": minimum must be a whole number from 0 to ` +
          `${U32_MAX}: received ${minimum}`,
      );
    }
    return await this.#changes.change(async () => {
      if (ask.force !== true) this.#requireQuiesced();
      const { name, options, generation } = this.state;
      const next = this.state.next(minimum);
      const epoch = next.epoch < floorEpoch ? floorEpoch : next.epoch;
      const bump = mintBump(this.#ports, { ...next, epoch }, reason, by);
      await commit(this.#ports.ledger, [scopeEntry(name, options, bump, generation)]);
      try {
        this.pages.store(bump);
      } catch (error) {
        // The ledger has it, and a page may show it: the value is used up, and nobody is told.
        this.state.apply(bump);
        this.#changes.tell({ kind: "blocked" });
        throw error;
      }
      return this.#publish(bump);
    });
  }

  /** Gives the scope other options. */
  async configure(options: ScopeOptions): Promise<void> {
    await this.#changes.change(async () => {
      const { name, current, previousGeneration } = this.state;
      await commit(this.#ports.ledger, [scopeEntry(name, options, current, previousGeneration)]);
      this.state.options = options;
      this.#emit("configured", { ...options });
      this.#changes.tell({ kind: "blocked" });
    });
  }

  /**
   * Asks the watchers to quiesce: to stop using what a bump would change under their hands. It
   * ends with a bump, by {@linkcode unquiesce}, or after its time.
   */
  async beginQuiesce(quiesce: Quiesce): Promise<void> {
    await this.#changes.change(() => {
      this.state.beginQuiesce({ ...quiesce, atNs: this.#ports.clock.wallNs() });
      this.#cancelQuiesce?.();
      this.#cancelQuiesce = this.#ports.clock.after(
        quiesce.maxMs,
        () => this.#unquiesce(`it lasted ${quiesce.maxMs} ms without a bump`),
      );
      this.#emit("quiescing", { maxMs: quiesce.maxMs }, quiesce.reason);
      this.#changes.tell({ kind: "quiesce", quiesce });
      if (this.state.isQuiesced) this.#changes.tell({ kind: "quiesced" });
    });
  }

  /** Lets the watchers go on; without a quiesce it does nothing. */
  async unquiesce(reason: string): Promise<void> {
    await this.#changes.change(() => this.#unquiesce(reason));
  }

  /**
   * Waits until every tracked watcher has quiesced.
   *
   * @throws {Fault} `not-quiescing` when no quiesce is on; `not-quiesced` naming who is late
   */
  async quiesced({ waitMs, signal }: Wait): Promise<void> {
    const look = (): true | undefined => {
      this.#changes.requireAlive();
      if (this.state.quiesce === undefined) throw this.#notQuiescing();
      return this.state.isQuiesced ? true : undefined;
    };
    if (await waitUntil(look, this.#wait(waitMs, signal)) === undefined) throw this.#notQuiesced();
  }

  /**
   * Waits until every tracked watcher has confirmed the generation that is current now.
   *
   * @throws {Fault} as {@linkcode judge}, and `watchers-outdated` (ETIME) when the time is up
   */
  async barrier(ask: BarrierAsk, { waitMs, signal }: Wait): Promise<BarrierOpen> {
    const boundEpoch = ask.epoch ?? this.state.epoch;
    const look = (): BarrierOpen | undefined => {
      this.#changes.requireAlive();
      return judge(this.state, ask, boundEpoch);
    };
    const open = await waitUntil(look, this.#wait(waitMs, signal));
    if (open !== undefined) return open;
    throw blockedFault("watchers-outdated", this.state, [...this.state.late()]);
  }

  /**
   * Waits for another generation than one that is known already.
   *
   * @returns `undefined` when there was none in time
   */
  async changed(knownEpoch: bigint, { waitMs, signal }: Wait): Promise<Bump | undefined> {
    const look = (): Bump | undefined => {
      this.#changes.requireAlive();
      return this.state.epoch === knownEpoch ? undefined : this.state.current;
    };
    return await waitUntil(look, this.#wait(waitMs, signal));
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
   * Deletes the scope with its watchers; the page files and the counter stay.
   *
   * @throws {Fault} `scope-in-use` while tracked watchers exist, unless forced
   */
  async delete(force: boolean): Promise<void> {
    await this.#changes.change(async () => {
      const { name, options, current, previousGeneration } = this.state;
      // Nobody else is let in, and who is on the way in is waited for: else its entry stayed.
      const letIn = this.#changes.shut();
      try {
        await this.watchers.registered();
        const { tracked } = this.state.counts;
        if (tracked > 0 && !force) {
          throw new Fault(
            "scope-in-use",
            `Cannot delete scope "${name}": it has ${tracked} tracked watchers; release them first`,
          );
        }
        await commit(this.#ports.ledger, [
          scopeEntry(name, options, current, previousGeneration, true),
          ...[...this.state.watchers].map((watcher) => watcherGone(name, watcher.id)),
        ]);
      } catch (error) {
        letIn();
        throw error;
      }
      this.#changes.tell({ kind: "deleted" });
      this.#cancelQuiesce?.();
      await this.watchers.close();
      this.pages.close();
      this.#emit("deleted", {});
    });
  }

  /** Writes what is still to be written and lets go of the pages. */
  async close(): Promise<void> {
    this.#cancelQuiesce?.();
    await this.#changes.last(async () => {
      // A deletion that was under way has let go of everything.
      if (this.#changes.isDeleted) return;
      try {
        await this.watchers.close();
      } finally {
        this.pages.close();
      }
    });
  }

  #publish(bump: Bump): { bump: Bump; outdated: number } {
    this.#cancelQuiesce?.();
    const settled = this.state.apply(bump);
    const { outdated } = this.state.counts;
    this.#history.unshift({ bump, outdated, tookMs: undefined });
    if (this.#history.length > HISTORY_BUMPS_MAX) this.#history.pop();
    const { generation, epoch, unique, reason, by } = bump;
    this.#emit("bumped", { generation, epoch, unique, by, outdated }, reason);
    this.#changes.tell({ kind: "generation", bump });
    if (settled !== undefined) this.#changes.tell({ kind: "settled", settled });
    return { bump, outdated };
  }

  #onSettled(tookMs: number): void {
    const [newest] = this.#history;
    if (newest?.bump.epoch === this.state.epoch) this.#history[0] = { ...newest, tookMs };
    const { generation, epoch } = this.state;
    this.#emit("settled", { generation, epoch, tookMs });
  }

  #unquiesce(reason: string): void {
    if (this.state.quiesce === undefined) return;
    this.#cancelQuiesce?.();
    this.state.endQuiesce();
    this.#emit("unquiesced", {}, reason);
    this.#changes.tell({ kind: "unquiesce" });
  }

  #requireQuiesced(): void {
    if (!this.state.options.requireQuiesce || this.state.isQuiesced) return;
    throw this.#notQuiesced();
  }

  #notQuiesced(): Fault {
    const late = [...this.state.notQuiesced()];
    const names = late.slice(0, 5).map(({ name }) => name).join(", ");
    return new Fault(
      "not-quiesced",
      `Scope "${this.state.name}" is ${this.state.phase}, not quiesced: ` +
        (this.state.quiesce === undefined
          ? "POST its quiesce first"
          : `${late.length} watchers have not followed yet: ${names}`),
      { members: { phase: this.state.phase, watchers: late.slice(0, 100).map(describe) } },
    );
  }

  #notQuiescing(): Fault {
    return new Fault(
      "not-quiescing",
      `Cannot wait for scope "${this.state.name}" to quiesce: it is ${this.state.phase}`,
    );
  }

  #wait(waitMs: number, signal: AbortSignal | undefined): Parameters<typeof waitUntil>[1] {
    const { clock } = this.#ports;
    const listen = (onChange: () => void): () => void => this.#changes.listen(onChange);
    return { clock, listen, waitMs: Math.min(waitMs, BARRIER_MS_MAX), signal };
  }

  #emit(what: string, data: Record<string, unknown>, reason?: string): void {
    this.#ports.events.emit({
      kind: `scope.${what}`,
      subject: this.state.name,
      ...(reason === undefined ? {} : { reason }),
      data,
    });
  }
}

/** A bump of this moment, with an identity of its own. */
export function mintBump(
  { random, clock }: ScopePorts,
  next: { readonly generation: number; readonly epoch: bigint },
  reason: string,
  by: string,
): Bump {
  return { ...next, unique: random.bytes(16).toHex(), reason, by, atNs: clock.wallNs() };
}
