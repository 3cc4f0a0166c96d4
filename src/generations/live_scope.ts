import { Fault } from "../core/faults.ts";
import { keep } from "../core/keep.ts";
import { ACK_FLUSH_MS, U32_MAX } from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { Ledger, LedgerEntry } from "../core/ports/ledger.ts";
import type { PageFile } from "../core/ports/page_file.ts";
import type { Random } from "../core/ports/random.ts";
import { Serial } from "../core/serial.ts";
import { type BarrierAsk, type BarrierOpen, judge, waitBarrier } from "./barrier.ts";
import { scopeEntry, watcherEntry, watcherGone } from "./records.ts";
import { hashToken, mintToken } from "./resume_token.ts";
import type { Bump, Scope, ScopeOptions, Settled, Watcher } from "./scope.ts";

/** What a scope needs from outside to be durable. */
export interface ScopePorts {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly random: Random;
}

/** What happened to a scope, told at once to whoever listens. */
export type ScopeChange =
  | { readonly kind: "generation"; readonly bump: Bump }
  | { readonly kind: "settled"; readonly settled: Settled }
  | { readonly kind: "deleted" };

/** Hears of the changes of one scope, in order. It must not throw. */
export type ScopeListener = (change: ScopeChange) => void;

/** What a bump asks for. */
export interface BumpAsk {
  /** The least generation wanted: the next one is max(current + 1, minimum). */
  readonly minimum?: number | undefined;
  readonly reason: string;
  /** Who asks, for the history. */
  readonly by: string;
}

/** What a watcher says of itself. */
export interface WatchAsk {
  readonly name: string;
  readonly track: boolean;
  /** The token of an earlier registration, to go on as the same watcher. */
  readonly token?: string | undefined;
}

/** A registration, durable if it is tracked. */
export interface Watching {
  readonly watcher: Watcher;
  readonly resumed: boolean;
  /** The token to come back with; it is good for one return. */
  readonly token: string;
}

/**
 * One scope made durable and published. Each bump goes: ledger commit, page store, memory,
 * listeners. Whoever was told of a generation finds it or a later one in the page, and no
 * generation is ever used for two events (spec decision 3).
 */
export class LiveScope {
  readonly #ports: ScopePorts;
  readonly #listeners = new Set<ScopeListener>();
  /** Changes go one at a time, since each awaits the ledger. */
  readonly #serial = new Serial();
  readonly #unsavedAcks = new Map<string, LedgerEntry>();
  #cancelFlush: (() => void) | undefined;
  #deleted = false;

  constructor(readonly state: Scope, readonly page: PageFile, ports: ScopePorts) {
    this.#ports = ports;
  }

  /**
   * The one door for a change of generation (the driver's sysgenid_bump_generation).
   *
   * @returns The bump and how many tracked watchers it made outdated
   * @throws {Fault} `minimum-out-of-range`, `state-unavailable`
   */
  async bump({ minimum = 0, reason, by }: BumpAsk): Promise<{ bump: Bump; outdated: number }> {
    if (!Number.isInteger(minimum) || minimum < 0 || minimum > U32_MAX) {
      throw new Fault(
        "minimum-out-of-range",
        `Cannot bump scope "${this.state.name}": minimum must be a whole number from 0 to ` +
          `${U32_MAX}: received ${minimum}`,
      );
    }
    return await this.#change(async () => {
      const { name, options, generation } = this.state;
      const bump = mintBump(this.#ports, this.state.next(minimum), reason, by);
      await keep(this.#ports.ledger, [scopeEntry(name, options, bump, generation)]);
      this.page.store(bump.generation);
      const settled = this.state.apply(bump);
      const { outdated } = this.state.counts;
      this.#tell({ kind: "generation", bump });
      this.#settled(settled);
      return { bump, outdated };
    });
  }

  /** Gives the scope other options. */
  async configure(options: ScopeOptions): Promise<void> {
    await this.#change(async () => {
      const { name, current, previousGeneration } = this.state;
      await keep(this.#ports.ledger, [scopeEntry(name, options, current, previousGeneration)]);
      this.state.options = options;
    });
  }

  /**
   * Registers a watcher; a tracked one is durable when this returns (spec decisions 8 and 9).
   *
   * @throws {Fault} `watchers-exhausted`, `state-unavailable`
   */
  async watch(ask: WatchAsk): Promise<Watching> {
    const token = mintToken(this.#ports.random);
    const [tokenHash, presented] = await Promise.all([
      hashToken(token),
      ask.token === undefined ? undefined : hashToken(ask.token),
    ]);
    if (presented === undefined) {
      const watcher = await this.#register(ask, tokenHash, this.state.epoch);
      return { watcher, resumed: false, token };
    }
    // One return at a time: of two clones with the same token the second finds it spent.
    return await this.#change(async () => {
      const known = this.state.byToken(presented);
      if (known === undefined) {
        // A token that is spent or unknown says nothing of what its bearer has confirmed.
        const watcher = await this.#register(ask, tokenHash, -1n);
        return { watcher, resumed: false, token };
      }
      if (known.tracked) await this.#keepWatcher({ ...known, tokenHash });
      this.state.resume(known.id, tokenHash);
      return { watcher: this.state.watcher(known.id), resumed: true, token };
    });
  }

  /** Switches tracking of a watcher; durable when this returns. */
  async track(id: string, on: boolean): Promise<void> {
    await this.#change(async () => {
      const watcher = this.state.watcher(id);
      await (on ? this.#keepWatcher(watcher) : this.#forgetWatcher(id));
      this.#settled(this.state.track(id, on, this.#ports.clock.wallNs()));
    });
  }

  /**
   * A watcher confirms exactly this generation. Losing an acknowledgement in a crash only makes
   * the watcher confirm again, so they reach the ledger in groups, afterwards.
   *
   * @throws {Fault} `watcher-not-found`, `stale-generation`
   */
  ack(id: string, generation: number, epoch?: bigint): void {
    const settled = this.state.ack(id, generation, epoch, this.#ports.clock.wallNs());
    const watcher = this.state.watcher(id);
    if (watcher.tracked) this.#saveLater(id, watcherEntry(this.state.name, watcher));
    this.#settled(settled);
  }

  /** The connection of a watcher ended without a word: it is held if it is tracked. */
  async leave(id: string): Promise<void> {
    if (this.#deleted || !this.state.has(id)) return;
    const hold = this.state.watcher(id).tracked && this.state.options.onDisconnect === "hold";
    if (hold) this.state.hold(id);
    else await this.release(id);
  }

  /**
   * Releases a watcher (the driver's close).
   *
   * @throws {Fault} `watcher-not-found`, `state-unavailable`
   */
  async release(id: string): Promise<void> {
    await this.#change(async () => {
      if (this.state.watcher(id).tracked) await this.#forgetWatcher(id);
      this.#settled(this.state.release(id, this.#ports.clock.wallNs()));
    });
  }

  /**
   * Waits until every tracked watcher has confirmed the generation that is current now.
   *
   * @param waitMs How long to wait at most; 0 answers at once
   * @param signal Ends the wait when the caller goes away
   * @throws {Fault} as {@linkcode judge}, and `watchers-outdated` (ETIME) when the time is up
   */
  async barrier(ask: BarrierAsk, waitMs: number, signal?: AbortSignal): Promise<BarrierOpen> {
    const boundEpoch = ask.epoch ?? this.state.epoch;
    const look = (): BarrierOpen | undefined => {
      this.#requireAlive();
      return judge(this.state, ask, boundEpoch);
    };
    return look() ??
      await waitBarrier(this.state, look, waitMs, {
        clock: this.#ports.clock,
        listen: (listener) => this.listen(listener),
        signal,
      });
  }

  /** Calls `listener` on every change until the returned function is called. */
  listen(listener: ScopeListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Deletes the scope with its watchers; the page file and the counter stay. */
  async delete(): Promise<void> {
    await this.#change(async () => {
      const { name, options, current, previousGeneration } = this.state;
      await keep(this.#ports.ledger, [
        scopeEntry(name, options, current, previousGeneration, true),
        ...[...this.state.watchers].map((watcher) => watcherGone(name, watcher.id)),
      ]);
      this.#cancelFlush?.();
      this.#deleted = true;
      this.#tell({ kind: "deleted" });
      this.page.close();
    });
  }

  /** Writes what is still to be written and lets go of the page. */
  async close(): Promise<void> {
    await this.#serial.run(() => this.#flushAcks()).finally(() => this.page.close());
  }

  async #register(ask: WatchAsk, tokenHash: string, ackedEpoch: bigint): Promise<Watcher> {
    this.#requireAlive();
    const watcher: Watcher = {
      id: `w-${this.#ports.random.bytes(8).toHex()}`,
      name: ask.name,
      tracked: ask.track || this.state.options.trackOnOpen,
      presence: "connected",
      ackedEpoch,
      ackedAtNs: undefined,
      tokenHash,
    };
    if (watcher.tracked) await this.#keepWatcher(watcher);
    try {
      this.#requireAlive();
      this.state.add(watcher);
    } catch (fault) {
      if (watcher.tracked) await this.#forgetWatcher(watcher.id);
      throw fault;
    }
    return this.state.watcher(watcher.id);
  }

  #keepWatcher(watcher: Watcher): Promise<void> {
    return keep(this.#ports.ledger, [watcherEntry(this.state.name, watcher)]);
  }

  async #forgetWatcher(id: string): Promise<void> {
    await keep(this.#ports.ledger, [watcherGone(this.state.name, id)]);
    this.#unsavedAcks.delete(id);
  }

  #change<Result>(task: () => Promise<Result>): Promise<Result> {
    return this.#serial.run(() => {
      this.#requireAlive();
      return task();
    });
  }

  #requireAlive(): void {
    if (this.#deleted) throw scopeNotFound(this.state.name);
  }

  #tell(change: ScopeChange): void {
    for (const listener of this.#listeners) listener(change);
  }

  #settled(settled: Settled | undefined): void {
    if (settled !== undefined) this.#tell({ kind: "settled", settled });
  }

  #saveLater(id: string, entry: LedgerEntry): void {
    this.#unsavedAcks.set(id, entry);
    this.#cancelFlush ??= this.#ports.clock.after(ACK_FLUSH_MS, () => {
      // A failing ledger shows itself at the next bump; a lost ack errs on the safe side.
      this.#serial.run(() => this.#flushAcks()).catch(() => {});
    });
  }

  async #flushAcks(): Promise<void> {
    this.#cancelFlush?.();
    this.#cancelFlush = undefined;
    if (this.#deleted || this.#unsavedAcks.size === 0) return;
    const entries = [...this.#unsavedAcks.values()];
    this.#unsavedAcks.clear();
    await keep(this.#ports.ledger, entries);
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

/** The fault of a scope that does not exist. */
export function scopeNotFound(name: string): Fault {
  return new Fault(
    "scope-not-found",
    `Cannot find scope "${name}": make it with PUT /v1/scopes/${name}`,
  );
}
