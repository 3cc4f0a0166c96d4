import { Fault } from "../core/faults.ts";
import { commit } from "../core/commit.ts";
import { Leases } from "../core/leases.ts";
import { LEASE_MS_DEFAULT } from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { EventSink } from "../core/ports/events.ts";
import type { Ledger } from "../core/ports/ledger.ts";
import type { Random } from "../core/ports/random.ts";
import { waitUntil } from "../core/wait_until.ts";
import { AckWriter } from "./ack_writer.ts";
import type { Changes } from "./changes.ts";
import { watcherEntry, watcherGone } from "./records.ts";
import { hashToken, mintToken } from "./resume_token.ts";
import type { Bump, Scope, Settled } from "./scope.ts";
import type { Watcher } from "./watcher.ts";

/** What a scope needs from outside to be durable. */
export interface ScopePorts {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: EventSink;
}

/** What a watcher says of itself over a connection. */
interface WatchAsk {
  readonly name: string;
  readonly track: boolean;
  readonly leaseMs?: number | undefined;
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

/** What a watcher over HTTP says of itself; it has chosen its own id. */
interface HttpWatchAsk {
  readonly name?: string | undefined;
  readonly track: boolean;
  readonly leaseMs?: number | undefined;
}

const CONNECTION_ID = /^w-[0-9a-f]{16}$/;

/**
 * The watchers of one scope, made durable: who is there, who is held, who is lost, and what each
 * has confirmed (spec decisions 8 and 9).
 */
export class ScopeWatchers {
  readonly #state: Scope;
  readonly #changes: Changes;
  readonly #ports: ScopePorts;
  readonly #leases: Leases;
  readonly #acks: AckWriter;
  /** Registrations that are on their way to the ledger. */
  readonly #registering = new Set<Promise<unknown>>();

  constructor(state: Scope, changes: Changes, ports: ScopePorts) {
    this.#state = state;
    this.#changes = changes;
    this.#ports = ports;
    this.#leases = new Leases(ports.clock);
    this.#acks = new AckWriter(state, changes, ports);
    for (const { id, presence } of state.watchers) if (presence === "held") this.#startLease(id);
  }

  /**
   * Registers a watcher with a connection; a tracked one is durable when this returns.
   *
   * @throws {Fault} `watchers-exhausted`, `state-unavailable`
   */
  async watch(ask: WatchAsk): Promise<Watching> {
    const token = mintToken(this.#ports.random);
    const [tokenHash, presented] = await Promise.all([
      hashToken(token),
      ask.token === undefined ? undefined : hashToken(ask.token),
    ]);
    const fresh = (ackedEpoch: bigint): Promise<Watcher> =>
      this.#register({ ...this.#newcomer(ask, ackedEpoch), tokenHash });
    if (presented === undefined) {
      return { watcher: await fresh(this.#state.epoch), resumed: false, token };
    }
    // One return at a time: of two clones with the same token the second finds it spent.
    return await this.#changes.change(async () => {
      const known = this.#state.byToken(presented);
      // A token that is spent or unknown says nothing of what its bearer has confirmed.
      if (known === undefined) return { watcher: await fresh(-1n), resumed: false, token };
      const { id, leaseMs } = known;
      const change = { tokenHash, name: ask.name, leaseMs: ask.leaseMs ?? leaseMs };
      const wasConnected = known.presence === "connected";
      await this.#setTracked({ ...known, ...change }, this.#isTracked(ask));
      this.#state.resume(id, change, this.#ports.clock.wallNs());
      this.#leases.end(id);
      // Told last: the other connection ends inside of this, and must not take the watcher along.
      if (wasConnected) this.#changes.tell({ kind: "taken", watcher: id });
      this.#emit("resumed", known);
      return { watcher: this.#state.watcher(id), resumed: true, token };
    });
  }

  /**
   * Registers a watcher over HTTP under an id of its own choice, or changes it. Every call of its
   * own renews its lease.
   *
   * @returns Whether it is new
   * @throws {Fault} `watchers-exhausted`, `state-unavailable`, `value-not-allowed` for an id of
   * the form that connections get
   */
  async put(id: string, ask: HttpWatchAsk): Promise<{ watcher: Watcher; created: boolean }> {
    if (CONNECTION_ID.test(id)) {
      throw new Fault(
        "value-not-allowed",
        `Cannot choose watcher id "${id}": this form belongs to WebSocket watchers`,
      );
    }
    return await this.#changes.change(async () => {
      if (!this.#state.has(id)) {
        const newcomer = this.#newcomer({ name: id, ...definedOnly(ask) }, this.#state.epoch);
        const watcher = await this.#register({ ...newcomer, id, tokenHash: undefined });
        this.#startLease(id);
        return { watcher, created: true };
      }
      const known = this.#state.watcher(id);
      const change = { name: ask.name ?? known.name, leaseMs: ask.leaseMs ?? known.leaseMs };
      await this.#setTracked({ ...known, ...change }, this.#isTracked(ask));
      this.#state.change(id, change);
      this.touch(id);
      return { watcher: this.#state.watcher(id), created: false };
    });
  }

  /** Switches tracking of a watcher; durable when this returns. */
  async track(id: string, on: boolean): Promise<void> {
    await this.#changes.change(() => this.#setTracked(this.#state.watcher(id), on));
  }

  /** A watcher over HTTP gives a sign of life: its lease begins anew. */
  touch(id: string): void {
    const { presence, tokenHash } = this.#state.watcher(id);
    if (tokenHash !== undefined) return;
    if (presence !== "connected") this.#setPresence(id, "connected");
    this.#startLease(id);
  }

  /**
   * A watcher confirms exactly this generation.
   *
   * @throws {Fault} `watcher-not-found`, `stale-generation`
   */
  ack(id: string, generation: number, epoch?: bigint): void {
    this.#changes.requireAlive();
    const settled = this.#state.ack(id, generation, epoch, this.#ports.clock.wallNs());
    const watcher = this.#state.watcher(id);
    if (watcher.tracked) this.#acks.saveSoon(id);
    this.#changes.progress();
    this.#settle(settled);
    // Nobody is left who could still confirm: a barrier need not wait any longer.
    if (settled === undefined && this.#state.awaitsOnlyLost) {
      this.#changes.tell({ kind: "blocked" });
    }
  }

  /**
   * A watcher could not adapt to this generation; the barrier names it with its reason.
   *
   * @throws {Fault} `watcher-not-found`, `stale-generation`, `already-confirmed`
   */
  fail(id: string, generation: number, reason: string): void {
    this.#changes.requireAlive();
    this.#state.fail(id, generation, reason, this.#ports.clock.wallNs());
    this.#emit("failed", this.#state.watcher(id), reason);
    this.#changes.tell({ kind: "blocked" });
  }

  /** A watcher was sent the current generation. */
  told(id: string): void {
    this.#state.tell(id, this.#ports.clock.wallNs());
    this.#changes.progress();
  }

  /** @throws {Fault} `watcher-not-found`, `not-quiescing` */
  quiesced(id: string): void {
    this.#changes.requireAlive();
    this.#state.markQuiesced(id);
    this.#changes.tell({ kind: "quiesced" });
  }

  /**
   * The driver's read: the current generation while it is not confirmed, every time; else it
   * waits for the next one.
   *
   * @returns `undefined` when there was none in time (EAGAIN)
   */
  async read(id: string, waitMs: number, signal?: AbortSignal): Promise<Bump | undefined> {
    const look = (): Bump | undefined => {
      this.#changes.requireAlive();
      return this.#state.isOutdated(this.#state.watcher(id)) ? this.#state.current : undefined;
    };
    const listen = (onChange: () => void): () => void => this.#changes.listen(onChange);
    // Whoever waits here is there: the lease runs from the end of the read.
    const letGo = this.#leases.hold(id);
    try {
      const current = await waitUntil(look, { clock: this.#ports.clock, listen, waitMs, signal });
      if (current !== undefined) this.told(id);
      return current;
    } finally {
      letGo();
    }
  }

  /**
   * The connection of a watcher ended without a word: it is held if it is tracked.
   *
   * @param tokenHash What the connection was given. If the watcher has another one by now, it came
   * back over another connection before this one was noticed to be dead
   */
  async leave(id: string, tokenHash: string | undefined): Promise<void> {
    if (this.#changes.isDeleted || !this.#state.has(id)) return;
    const watcher = this.#state.watcher(id);
    if (watcher.tokenHash !== tokenHash) return;
    if (!watcher.tracked || this.#state.options.onDisconnect === "forget") {
      return await this.release(id);
    }
    this.#setPresence(id, "held");
    this.#startLease(id);
    this.#emit("held", watcher);
  }

  /**
   * Releases a watcher (the driver's close).
   *
   * @throws {Fault} `scope-not-found`, `watcher-not-found`, `state-unavailable`
   */
  async release(id: string): Promise<void> {
    await this.#changes.change(async () => {
      const watcher = this.#state.watcher(id);
      if (watcher.tracked) await this.#forget(id);
      this.#leases.end(id);
      const settled = this.#state.release(id, this.#ports.clock.wallNs());
      this.#emit("released", watcher);
      this.#changes.tell({ kind: "quiesced" });
      this.#settle(settled);
    });
  }

  /** Lets go of all timers, after writing the acknowledgements that are still to be written. */
  async close(): Promise<void> {
    this.#leases.stop();
    await this.#acks.flush();
  }

  #newcomer(
    { name, track, leaseMs = LEASE_MS_DEFAULT }: WatchAsk,
    ackedEpoch: bigint,
  ): Watcher {
    return {
      id: `w-${this.#ports.random.bytes(8).toHex()}`,
      name,
      tracked: this.#isTracked({ track }),
      presence: "connected",
      presenceSinceNs: this.#ports.clock.wallNs(),
      leaseMs,
      ackedEpoch,
      ackedGeneration: undefined,
      ackedAtNs: undefined,
      outdatedSinceNs: undefined,
      told: undefined,
      failure: undefined,
      tokenHash: undefined,
    };
  }

  #isTracked({ track }: { readonly track: boolean }): boolean {
    return track || this.#state.options.trackOnOpen;
  }

  /** Registrations go side by side, so that those of one moment share a commit. */
  async #register(watcher: Watcher): Promise<Watcher> {
    const registering = this.#keepAndAdd(watcher);
    this.#registering.add(registering);
    try {
      return await registering;
    } finally {
      this.#registering.delete(registering);
    }
  }

  /** Resolves when all registrations that have begun are done, well or not. */
  async registered(): Promise<void> {
    await Promise.allSettled(this.#registering);
  }

  async #keepAndAdd(watcher: Watcher): Promise<Watcher> {
    this.#changes.requireAlive();
    this.#state.requireRoom();
    if (watcher.tracked) await this.#keep(watcher);
    try {
      // A deletion that has begun since waits for this one and takes it along.
      this.#state.add(watcher);
    } catch (fault) {
      if (watcher.tracked) await this.#forget(watcher.id);
      throw fault;
    }
    this.#emit("joined", watcher);
    this.#changes.progress();
    return this.#state.watcher(watcher.id);
  }

  async #setTracked(watcher: Watcher, on: boolean): Promise<void> {
    if (on) await this.#keep({ ...watcher, tracked: true });
    else if (watcher.tracked) await this.#forget(watcher.id);
    this.#settle(this.#state.track(watcher.id, on, this.#ports.clock.wallNs()));
    this.#changes.progress();
  }

  #setPresence(id: string, presence: Watcher["presence"]): void {
    this.#settle(this.#state.setPresence(id, presence, this.#ports.clock.wallNs()));
    this.#changes.progress();
  }

  #startLease(id: string): void {
    this.#leases.start(id, this.#state.watcher(id).leaseMs, () => this.#lose(id));
  }

  #lose(id: string): void {
    const watcher = this.#state.watcher(id);
    if (!watcher.tracked) {
      // Nobody waits for it, and nothing of it is in the ledger.
      this.release(id).catch(() => {});
      return;
    }
    this.#setPresence(id, "lost");
    this.#emit("lost", watcher, `its lease of ${watcher.leaseMs} ms ran out`);
    this.#changes.tell({ kind: "blocked" });
  }

  #settle(settled: Settled | undefined): void {
    if (settled !== undefined) this.#changes.tell({ kind: "settled", settled });
  }

  #emit(what: string, { id, name }: Watcher, reason?: string): void {
    this.#ports.events.emit({
      kind: `watcher.${what}`,
      subject: this.#state.name,
      ...(reason === undefined ? {} : { reason }),
      data: { watcher: id, name },
    });
  }

  #keep(watcher: Watcher): Promise<void> {
    return commit(this.#ports.ledger, [watcherEntry(this.#state.name, watcher)]);
  }

  async #forget(id: string): Promise<void> {
    await commit(this.#ports.ledger, [watcherGone(this.#state.name, id)]);
    this.#acks.forget(id);
  }
}

/** Without the members that are there but undefined, which would hide a default. */
function definedOnly({ name, track, leaseMs }: HttpWatchAsk): Omit<WatchAsk, "name"> & {
  name?: string;
} {
  return {
    track,
    ...(name === undefined ? {} : { name }),
    ...(leaseMs === undefined ? {} : { leaseMs }),
  };
}
