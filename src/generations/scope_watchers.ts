import { Fault } from "../core/faults.ts";
import { commit } from "../core/commit.ts";
import { Leases } from "../core/leases.ts";
import { LEASE_MS_DEFAULT } from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { EventSink } from "../core/ports/events.ts";
import type { Ledger } from "../core/ports/ledger.ts";
import type { Random } from "../core/ports/random.ts";
import type { Caller } from "../core/rights.ts";
import { AckWriter } from "./ack_writer.ts";
import type { Bump } from "./bump.ts";
import type { Changes } from "./changes.ts";
import { scopeEntry, watcherEntry, watcherGone } from "./records.ts";
import { hashToken, mintToken } from "./resume_token.ts";
import type { Scope, Settled } from "./scope.ts";
import type { Watcher, WatchingProcess } from "./watcher.ts";

/** What a scope needs from outside to be durable. */
export interface ScopePorts {
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: EventSink;
}

/** What a watcher says of itself over a connection. */
interface WatchRequest {
  readonly name: string;
  /** One that comes back stays as it was when this is left out: untracking is only ever explicit. */
  readonly track?: boolean | undefined;
  readonly leaseMs?: number | undefined;
  /** The token of an earlier registration, to go on as the same watcher. */
  readonly token?: string | undefined;
}

/** What a watcher over HTTP says of itself. Without a name it is called by its id. */
type HttpWatchRequest = Pick<WatchRequest, "leaseMs"> & {
  readonly name?: string | undefined;
  readonly track: boolean;
};

/** A registration, durable if it is tracked. */
export interface Watching {
  readonly watcher: Watcher;
  readonly resumed: boolean;
  /** The token to come back with; it is good for one return. */
  readonly token: string;
}

/** Who registers a watcher or speaks for one; nobody when the daemon itself does. */
type Registrant = Pick<Caller, "name" | "may">;

/** The form of the ids that we give to watchers with a connection. */
const CONNECTION_ID = /^w-[0-9a-f]{16}$/;

/**
 * The watchers of one scope, made durable: who is there, who is held, who is lost, and what each
 * has confirmed (docs/generations.md#8, docs/generations.md#9).
 */
export class ScopeWatchers {
  readonly #scope: Scope;
  readonly #changes: Changes;
  readonly #ports: ScopePorts;
  readonly #leases: Leases;
  readonly #acks: AckWriter;
  /** Registrations that are on their way to the ledger. */
  readonly #registering = new Set<Promise<unknown>>();

  constructor(scope: Scope, changes: Changes, ports: ScopePorts) {
    this.#scope = scope;
    this.#changes = changes;
    this.#ports = ports;
    this.#leases = new Leases(ports.clock);
    this.#acks = new AckWriter(scope, changes, ports);
    for (const { id, presence, process } of scope.watchers) {
      if (presence === "held" && process === undefined) this.#startLease(id);
    }
  }

  /**
   * Registers a watcher with a connection. A tracked one is durable when this returns. The token of
   * another principal's watcher counts as unknown.
   *
   * @throws {Fault} `watchers-exhausted`, `state-unavailable`
   */
  async watch(request: WatchRequest, by?: Registrant): Promise<Watching> {
    const token = mintToken(this.#ports.random);
    const [tokenHash, presented] = await Promise.all([
      hashToken(token),
      request.token === undefined ? undefined : hashToken(request.token),
    ]);
    const register = async (ackedEpoch: bigint): Promise<Watching> => {
      const watcher = { ...this.#newcomer(this.#mintId(), request, ackedEpoch, by), tokenHash };
      return { watcher: await this.#register(watcher), resumed: false, token };
    };
    if (presented === undefined) return await register(this.#scope.epoch);
    // One return at a time: of two clones with the same token the second finds it spent.
    return await this.#changes.change(async () => {
      const known = this.#scope.byToken(presented);
      // A spent or unknown token proves nothing about what its bearer has confirmed.
      if (known === undefined || !mayAdopt(known, by)) return await register(-1n);
      const { id, leaseMs, owner = by?.name } = known;
      const change = { tokenHash, name: request.name, leaseMs: request.leaseMs ?? leaseMs, owner };
      const wasConnected = known.presence === "connected";
      await this.#setTracked(
        { ...known, ...change },
        this.#isTracked(request.track ?? known.tracked),
      );
      this.#scope.resume(id, change, this.#ports.clock.wallNs());
      this.#leases.end(id);
      // This comes last because the other connection ends within the call. It must find that the
      // watcher has another token by now, or it would make the watcher held.
      if (wasConnected) this.#changes.notify({ kind: "taken", watcher: id });
      this.#emit("resumed", known);
      return { watcher: this.#scope.watcher(id), resumed: true, token };
    });
  }

  /**
   * Registers an open file as a watcher (the driver's open). It is tracked from its start only
   * where the scope says so.
   *
   * @throws {Fault} `scope-not-found`, `watchers-exhausted`, `state-unavailable`
   */
  async open(name: string, process: WatchingProcess, by: Registrant): Promise<Watcher> {
    const { epoch } = this.#scope;
    const newcomer = this.#newcomer(this.#mintId(), { name, track: false }, epoch, by);
    return await this.#register({ ...newcomer, process });
  }

  /**
   * Registers a watcher over HTTP under an id of its own choice, or changes it. Each of its calls
   * renews its lease.
   *
   * @returns Whether it is new
   * @throws {Fault} `watchers-exhausted`, `state-unavailable`, `value-not-allowed` for an id of
   * the form that connections get, `watcher-not-owned`
   */
  async put(
    id: string,
    request: HttpWatchRequest,
    by?: Registrant,
  ): Promise<{ watcher: Watcher; created: boolean }> {
    if (CONNECTION_ID.test(id)) {
      throw new Fault(
        "value-not-allowed",
        `Cannot choose watcher id "${id}": this form belongs to WebSocket watchers`,
      );
    }
    return await this.#changes.change(async () => {
      const { name = id, track, leaseMs } = request;
      if (!this.#scope.has(id)) {
        const newcomer = this.#newcomer(id, { name, track, leaseMs }, this.#scope.epoch, by);
        const watcher = await this.#register(newcomer);
        this.#startLease(id);
        return { watcher, created: true };
      }
      const known = this.#scope.watcher(id);
      if (!mayAdopt(known, by)) throw notOwned(id, this.#scope.name);
      const { owner = by?.name } = known;
      const change = { name: request.name ?? known.name, leaseMs: leaseMs ?? known.leaseMs, owner };
      await this.#setTracked({ ...known, ...change }, this.#isTracked(track));
      this.#scope.change(id, change);
      this.touch(id);
      return { watcher: this.#scope.watcher(id), created: false };
    });
  }

  /**
   * Refuses whoever may not speak for a watcher: all but the principal that registered it and
   * admins.
   *
   * @throws {Fault} `watcher-not-found`, `watcher-not-owned`
   */
  requireOwner(id: string, by: Registrant): void {
    const { owner } = this.#scope.watcher(id);
    if (owner !== by.name && !by.may("admin")) throw notOwned(id, this.#scope.name);
  }

  /** Switches tracking of a watcher. It is durable when this returns. */
  async track(id: string, on: boolean): Promise<void> {
    await this.#changes.change(() => this.#setTracked(this.#scope.watcher(id), on));
  }

  /** Begins the lease of a watcher over HTTP anew, because it has given a sign of life. */
  touch(id: string): void {
    const { presence, tokenHash, process } = this.#scope.watcher(id);
    if (tokenHash !== undefined || process !== undefined) return;
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
    const settled = this.#scope.ack(id, generation, epoch, this.#ports.clock.wallNs());
    if (this.#scope.watcher(id).tracked) this.#acks.saveSoon(id);
    this.#changes.progress();
    this.#settle(settled);
    // Nobody is left who could still confirm, so a barrier need not wait any longer.
    if (settled === undefined && this.#scope.awaitsOnlyLost) {
      this.#changes.notify({ kind: "blocked" });
    }
  }

  /**
   * A watcher could not adapt to this generation. The barrier names it with its reason.
   *
   * @throws {Fault} `watcher-not-found`, `stale-generation`, `already-confirmed`
   */
  fail(id: string, generation: number, reason: string): void {
    this.#changes.requireAlive();
    this.#scope.fail(id, generation, reason, this.#ports.clock.wallNs());
    this.#emit("failed", this.#scope.watcher(id), reason);
    this.#changes.notify({ kind: "blocked" });
  }

  /** The current generation was sent to a watcher. */
  notified(id: string): void {
    this.#scope.markNotified(id, this.#ports.clock.wallNs());
    this.#changes.progress();
  }

  /**
   * A watcher has quiesced.
   *
   * @throws {Fault} `watcher-not-found`, `not-quiescing`
   */
  quiesced(id: string): void {
    this.#changes.requireAlive();
    this.#scope.markQuiesced(id);
    this.#changes.notify({ kind: "quiesced" });
  }

  /**
   * The driver's read. It gives the current generation, every time until that is confirmed; then it
   * waits for the next one.
   *
   * @returns `undefined` when there was none in time (EAGAIN)
   */
  async read(id: string, waitMs: number, signal?: AbortSignal): Promise<Bump | undefined> {
    const look = (): Bump | undefined =>
      this.#scope.isOutdated(this.#scope.watcher(id)) ? this.#scope.current : undefined;
    // Whoever waits here is there, so its lease does not run meanwhile.
    const letGo = this.#leases.hold(id);
    try {
      const current = await this.#changes.wait(look, { waitMs, signal });
      if (current !== undefined) this.notified(id);
      return current;
    } finally {
      letGo();
    }
  }

  /**
   * The connection of a watcher ended without a word, or the mount of its file died. A tracked
   * watcher is held.
   *
   * @param tokenHash The token that the connection was given. If the watcher has another one by
   * now, it came back over another connection before this one was known to be dead
   */
  async leave(id: string, tokenHash: string | undefined): Promise<void> {
    if (this.#changes.isDeleted || !this.#scope.has(id)) return;
    const watcher = this.#scope.watcher(id);
    if (watcher.tokenHash !== tokenHash) return;
    if (!watcher.tracked || this.#scope.options.onDisconnect === "forget") {
      return await this.release(id);
    }
    this.#setPresence(id, "held");
    if (watcher.process === undefined) this.#startLease(id);
    this.#emit("held", watcher);
  }

  /**
   * Releases a watcher (the driver's close).
   *
   * @param epoch Only while this is the current one: whoever knows of no later generation must not
   * leave one behind unconfirmed
   * @param by Who wants it, where that is not its own connection
   * @throws {Fault} `scope-not-found`, `watcher-not-found`, `watcher-not-owned`,
   * `stale-generation`, `state-unavailable`
   */
  async release(id: string, epoch?: bigint, by?: Registrant): Promise<void> {
    await this.#changes.change(async () => {
      if (by !== undefined) this.requireOwner(id, by);
      const watcher = this.#scope.watcher(id);
      if (epoch !== undefined) this.#scope.requireEpoch("leave", epoch);
      await this.#commitRelease(watcher);
      this.#leases.end(id);
      const settled = this.#scope.release(id, this.#ports.clock.wallNs());
      this.#emit("released", watcher);
      this.#changes.notify({ kind: "quiesced" });
      this.#settle(settled);
    });
  }

  /** Resolves when all registrations that have begun are done, well or not. */
  async registered(): Promise<void> {
    await Promise.allSettled(this.#registering);
  }

  /** Stops all timers and writes the acks that are not in the ledger yet. */
  async close(): Promise<void> {
    this.#leases.stop();
    await this.#acks.flush();
  }

  #mintId(): string {
    return `w-${this.#ports.random.bytes(8).toHex()}`;
  }

  #newcomer(
    id: string,
    { name, track = false, leaseMs = LEASE_MS_DEFAULT }: WatchRequest,
    ackedEpoch: bigint,
    by: Registrant | undefined,
  ): Watcher {
    return {
      id,
      name,
      tracked: this.#isTracked(track),
      presence: "connected",
      presenceSinceNs: this.#ports.clock.wallNs(),
      leaseMs,
      ackedEpoch,
      owner: by?.name,
    };
  }

  #isTracked(track: boolean): boolean {
    return track || this.#scope.options.trackOnOpen;
  }

  /** Registrations run side by side, so that those of one moment share a commit. */
  async #register(watcher: Watcher): Promise<Watcher> {
    const registering = this.#commitAndAdd(watcher);
    this.#registering.add(registering);
    try {
      return await registering;
    } finally {
      this.#registering.delete(registering);
    }
  }

  async #commitAndAdd(watcher: Watcher): Promise<Watcher> {
    this.#changes.requireAlive();
    this.#scope.requireRoom();
    if (watcher.tracked) await this.#commit(watcher);
    try {
      // A deletion that has begun since waits for this registration and removes it too.
      this.#scope.add(watcher);
    } catch (fault) {
      if (watcher.tracked) await this.#forget(watcher.id);
      throw fault;
    }
    this.#emit("joined", watcher);
    this.#changes.progress();
    return this.#scope.watcher(watcher.id);
  }

  async #setTracked(watcher: Watcher, on: boolean): Promise<void> {
    if (on) await this.#commit({ ...watcher, tracked: true });
    else if (watcher.tracked) await this.#forget(watcher.id);
    this.#settle(this.#scope.track(watcher.id, on, this.#ports.clock.wallNs()));
    this.#changes.progress();
  }

  #setPresence(id: string, presence: Watcher["presence"]): void {
    this.#settle(this.#scope.setPresence(id, presence, this.#ports.clock.wallNs()));
    this.#changes.progress();
  }

  #startLease(id: string): void {
    this.#leases.start(id, this.#scope.watcher(id).leaseMs, () => this.#lose(id));
  }

  #lose(id: string): void {
    const watcher = this.#scope.watcher(id);
    if (!watcher.tracked) {
      // No barrier waits for it, and the ledger does not have it.
      this.release(id).catch(() => {});
      return;
    }
    this.#setPresence(id, "lost");
    this.#emit("lost", watcher, `its lease of ${watcher.leaseMs} ms ran out`);
    this.#changes.notify({ kind: "blocked" });
  }

  #settle(settled: Settled | undefined): void {
    if (settled !== undefined) this.#changes.notify({ kind: "settled", settled });
  }

  #emit(what: string, { id, name }: Watcher, reason?: string): void {
    this.#changes.emit(`watcher.${what}`, { watcher: id, name }, reason);
  }

  #commit(watcher: Watcher): Promise<void> {
    return commit(this.#ports.ledger, [watcherEntry(this.#scope.name, watcher)]);
  }

  /** A release may leave an expectation unmet, which must survive a restart as the release does. */
  async #commitRelease({ id, tracked }: Watcher): Promise<void> {
    const brokenNow = this.#scope.brokenBy(id);
    const broken = new Set([...this.#scope.broken, ...brokenNow]);
    const entries = [
      ...tracked ? [watcherGone(this.#scope.name, id)] : [],
      ...brokenNow.length > 0 ? [scopeEntry(this.#scope, { broken })] : [],
    ];
    if (entries.length > 0) await commit(this.#ports.ledger, entries);
    if (tracked) this.#acks.forget(id);
  }

  async #forget(id: string): Promise<void> {
    await commit(this.#ports.ledger, [watcherGone(this.#scope.name, id)]);
    this.#acks.forget(id);
  }
}

/** Whether somebody may come back as a watcher: nobody's becomes the first one's who does. */
function mayAdopt({ owner }: Watcher, by: Registrant | undefined): boolean {
  return by === undefined || owner === undefined || owner === by.name || by.may("admin");
}

function notOwned(id: string, scope: string): Fault {
  return new Fault(
    "watcher-not-owned",
    `Cannot speak for watcher "${id.slice(0, 80)}" of scope "${scope}": another principal ` +
      "registered it, and only that one or an admin can confirm for it or release it",
  );
}
