import { LEASE_MS_DEFAULT } from "../core/limits.ts";
import { type Processes, type ProcessIdentity, UNPROVABLE } from "../core/ports/processes.ts";
import { Absences } from "./absences.ts";
import type { Bump } from "./bump.ts";
import type { Changes } from "./changes.ts";
import { HttpWatchers, type HttpWatching } from "./http_watchers.ts";
import type { Departure } from "./confirmations.ts";
import type { Settled } from "./phase.ts";
import { hashToken, mintToken } from "./resume_token.ts";
import {
  isProvenDead,
  isUpToDate,
  judgeResumption,
  notOwned,
  type Registrant,
  type Resumption,
} from "./resumption.ts";
import type { Scope } from "./scope.ts";
import type { ScopePorts } from "./scope_ports.ts";
import type {
  Credentials,
  HttpWatchRequest,
  OpenWatcher,
  Watching,
  WatchRequest,
} from "./watch_request.ts";
import { isGivenId, requireChosen } from "./watcher_id.ts";
import { WatcherRows } from "./watcher_rows.ts";
import { NEVER_CONFIRMED, processView, type Watcher, type WatchingProcess } from "./watcher.ts";

/**
 * The watchers of one scope, made durable: who is there, who is held, who is lost, and what each
 * has confirmed (docs/generations.md#8, docs/generations.md#9).
 */
export class ScopeWatchers {
  /** Those that call over HTTP, with tokens. */
  readonly http: HttpWatchers;
  readonly #scope: Scope;
  readonly #changes: Changes;
  readonly #ports: ScopePorts;
  readonly #processes: Processes;
  readonly #absences: Absences;
  readonly #rows: WatcherRows;
  /** Registrations that are on their way to the ledger. */
  readonly #registering = new Set<Promise<unknown>>();

  constructor(scope: Scope, changes: Changes, ports: ScopePorts) {
    this.#scope = scope;
    this.#changes = changes;
    this.#ports = ports;
    this.#processes = ports.processes ?? UNPROVABLE;
    this.#absences = new Absences(ports.clock, scope, {
      lose: (id) => this.#lose(id),
      forget: (id) => this.#endAbsent(id, "forgotten"),
      look: (id) => this.#look(id),
    });
    this.#rows = new WatcherRows(scope, changes, ports);
    this.http = new HttpWatchers({
      ...{ scope, changes, rows: this.#rows, random: ports.random, processes: this.#processes },
      newcomer: (...args) => this.#newcomer(...args),
      register: (watcher) => this.#registerOverHttp(watcher),
      resume: (...args) => this.#resume(...args),
      change: (...args) => this.#change(...args),
      ack: (...args) => this.ack(...args),
    });
    for (const { id, presence } of scope.watchers) if (presence === "held") this.#beginAbsence(id);
  }

  /**
   * Registers a watcher with a connection. A tracked one is durable when this returns. The token of
   * another principal's watcher counts as unknown.
   *
   * @throws {Fault} `watchers-exhausted`, `state-unavailable`
   */
  async watch(request: WatchRequest, by?: Registrant): Promise<Watching> {
    const token = mintToken(this.#ports.random);
    const [nextHash, presented] = await Promise.all([
      hashToken(token),
      request.token === undefined ? undefined : hashToken(request.token),
    ]);
    const tokenHash = request.keepsToken === true ? presented ?? nextHash : nextHash;
    const peer = this.#proven(request.process);
    const register = async (ackedEpoch: bigint, track = request.track): Promise<Watching> => {
      const watcher = {
        ...this.#newcomer(this.#mintId(), { ...request, track }, ackedEpoch, by),
        ...{ tokenHash, peer },
      };
      return { watcher: await this.#register(watcher), resumed: false, token };
    };
    if (presented === undefined) return await register(this.#scope.epoch);
    // One return at a time: of two clones with the same token the second finds it spent.
    return await this.#changes.change(async () => {
      const returning = { tokenHash: presented, peer, by };
      const resumption = judgeResumption(this.#scope, returning, this.#processes);
      if (resumption.kind === "stranger") {
        // A spent or unknown token proves nothing about what its bearer has confirmed. It may have
        // been tracked, and only its own word ends that.
        const watching = await register(NEVER_CONFIRMED, request.track ?? true);
        for (const { id } of resumption.dead) await this.#releaseNow(id, "dead");
        return watching;
      }
      const { id, owner = by?.name } = resumption.watcher;
      await this.#resume(resumption, request, {
        ...{ tokenHash, previousTokenHash: presented, peer, owner },
      });
      return { watcher: this.#scope.watcher(id), resumed: true, token };
    });
  }

  /** Registers an open file (the driver's open), tracked from its start where the scope says so. */
  async open(name: string, process: WatchingProcess, by: Registrant): Promise<Watcher> {
    const { epoch } = this.#scope;
    const newcomer = this.#newcomer(this.#mintId(), { name, track: false }, epoch, by);
    return await this.#register({ ...newcomer, process });
  }

  /** An open file is served again: it has stayed open while the daemon was restarted. */
  async reopen(known: OpenWatcher, process: WatchingProcess, by: Registrant): Promise<void> {
    const { id, ackedEpoch } = known;
    // The ledger does not have those that are not tracked, and learns of acks some time later.
    if (this.#scope.has(id)) this.#setPresence(id, "connected");
    else await this.#register({ ...this.#newcomer(id, known, ackedEpoch, by), process });
    const isLate = this.#scope.isOutdated(this.#scope.watcher(id));
    if (isLate && ackedEpoch === this.#scope.epoch) this.ack(id, this.#scope.generation);
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
  ): Promise<HttpWatching> {
    requireChosen(id);
    return await this.http.put(id, request, by);
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
    const { presence } = this.#scope.watcher(id);
    if (!this.#isOverHttp(id)) return;
    if (presence !== "connected") this.#setPresence(id, "connected");
    this.#absences.end(id);
    this.#absences.begin(id);
  }

  /**
   * A watcher confirms exactly this generation.
   *
   * @throws {Fault} `watcher-not-found`, `stale-generation`
   */
  ack(id: string, generation: number, epoch?: bigint): void {
    this.#changes.requireAlive();
    const settled = this.#scope.ack(id, generation, epoch, this.#ports.clock.wallNs());
    if (this.#scope.watcher(id).tracked) this.#rows.saveAckSoon(id);
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
   * @returns When the ledger has the reason of a tracked one. Barriers have it at once
   * @throws {Fault} `watcher-not-found`, `stale-generation`, `already-confirmed`
   */
  fail(id: string, generation: number, reason: string): Promise<void> {
    this.#changes.requireAlive();
    this.#scope.fail(id, generation, reason, this.#ports.clock.wallNs());
    const watcher = this.#scope.watcher(id);
    this.#emit("failed", watcher, reason);
    this.#changes.notify({ kind: "blocked" });
    return watcher.tracked ? this.#rows.save(watcher) : Promise.resolve();
  }

  /** The current generation was sent to a watcher. */
  notified(id: string): void {
    this.#scope.markNotified(id, this.#ports.clock.wallNs());
    this.#changes.progress();
  }

  /**
   * A watcher has quiesced, or cannot.
   *
   * @param quiesce Which quiesce it answers; the one that is on where it does not say
   * @param inability Why it cannot
   * @throws {Fault} `watcher-not-found`, `not-quiescing`
   */
  quiesced(id: string, quiesce?: string, inability?: string): void {
    this.#changes.requireAlive();
    this.#scope.markQuiesced(id, quiesce, inability);
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
    const letGo = this.#absences.hold(id);
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
    this.#emit("held", watcher);
    this.#beginAbsence(id);
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
      if (epoch !== undefined) this.#scope.requireCurrent("leave", this.#scope.generation, epoch);
      await this.#releaseNow(watcher.id, "released");
    });
  }

  /** The scope has other options. */
  reconsider(): void {
    this.#absences.reconsider();
  }

  /** Resolves when all registrations that have begun are done, well or not. */
  async registered(): Promise<void> {
    await Promise.allSettled(this.#registering);
  }

  /** Stops all timers and writes the acks that are not in the ledger yet. */
  async close(): Promise<void> {
    this.#absences.stop();
    await this.#rows.flush();
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

  /** A watcher over HTTP has chosen its id, and is no open file of a process. */
  #isOverHttp(id: string): boolean {
    return !isGivenId(id) && this.#scope.watcher(id).process === undefined;
  }

  #mintId(): string {
    return `w-${this.#ports.random.bytes(8).toHex()}`;
  }

  /** A process counts only when the host proves it. */
  #proven(process: ProcessIdentity | undefined): ProcessIdentity | undefined {
    return process !== undefined && this.#processes.isPeer(process) ? process : undefined;
  }

  async #registerOverHttp(newcomer: Watcher): Promise<Watcher> {
    const watcher = await this.#register(newcomer);
    this.#absences.begin(watcher.id);
    return watcher;
  }

  /** Changes a watcher over HTTP, which is a sign of life as well. */
  async #change(
    known: Watcher,
    { name = known.name, leaseMs = known.leaseMs, track }: HttpWatchRequest,
    by: Registrant | undefined,
  ): Promise<void> {
    const change = { name, leaseMs, owner: known.owner ?? by?.name };
    await this.#setTracked({ ...known, ...change }, this.#isTracked(track));
    this.#scope.change(known.id, change);
    this.touch(known.id);
  }

  /** Lets a watcher go on that came back; whoever was it and may live stays in the barrier. */
  async #resume(
    { kind, watcher: known }: Exclude<Resumption, { kind: "stranger" }>,
    { name, leaseMs = known.leaseMs, track = known.tracked, epoch }: WatchRequest,
    credentials: Credentials,
  ): Promise<void> {
    const { id, presence } = known;
    const supersededId = kind === "supersede" ? this.#mintId() : undefined;
    if (supersededId !== undefined) this.#scope.requireRoom();
    const change = { ...credentials, name, leaseMs };
    const comeback = { ...change, isUpToDate: isUpToDate(this.#scope, known, epoch) };
    const ackedEpoch = comeback.isUpToDate ? known.ackedEpoch : NEVER_CONFIRMED;
    const tracked = this.#isTracked(track);
    const back = { supersededBy: undefined, isTokenSpent: undefined };
    const left = { id: supersededId ?? id, supersededBy: id, isTokenSpent: true };
    await this.#rows.replace(
      known,
      { ...known, ...change, ...back, tracked, ackedEpoch },
      supersededId === undefined ? undefined : { ...known, ...left },
    );
    const nowNs = this.#ports.clock.wallNs();
    this.#scope.resume(id, comeback, nowNs, supersededId);
    this.#settle(this.#scope.track(id, tracked, nowNs));
    this.#absences.end(id);
    if (this.#isOverHttp(id)) this.#absences.begin(id);
    // This comes late because the other connection ends within the call. It must find that the
    // watcher has another token by now, or it would make the watcher held.
    if (presence === "connected") {
      this.#changes.notify({ kind: "taken", watcher: id, superseded: supersededId });
    }
    this.#emit("resumed", known);
    if (supersededId !== undefined) this.#superseded(supersededId, presence);
    this.#changes.progress();
  }

  #superseded(id: string, presence: Watcher["presence"]): void {
    const { supersededBy = "" } = this.#scope.watcher(id);
    this.#emit("superseded", this.#scope.watcher(id));
    // Nobody calls under this id over HTTP, so it is away from now on.
    const isAway = presence === "connected" && this.#isOverHttp(supersededBy);
    if (isAway) this.#setPresence(id, "held");
    if (isAway || presence === "held") this.#beginAbsence(id);
    if (presence !== "lost") return;
    this.#absences.lost(id);
    this.#look(id);
  }

  #beginAbsence(id: string): void {
    // One that is an open file of a process is held for as long as a process has that file.
    if (this.#scope.watcher(id).process === undefined) this.#absences.begin(id);
    this.#look(id);
  }

  /** Releases a superseded watcher once nobody can be it any more. */
  #look(id: string): void {
    if (!this.#scope.has(id)) return;
    const watcher = this.#scope.watcher(id);
    const { supersededBy, peer, presence } = watcher;
    if (supersededBy === undefined || peer === undefined || presence === "connected") return;
    if (isProvenDead(watcher, this.#processes)) this.#endAbsent(id, "dead");
    else this.#absences.lookSoon(id);
  }

  /** Releases a watcher that is away still when its turn comes. */
  #endAbsent(id: string, why: "dead" | "forgotten"): void {
    this.#changes.change(async () => {
      if (!this.#scope.has(id)) return;
      const watcher = this.#scope.watcher(id);
      const isStill = why === "dead"
        ? watcher.supersededBy !== undefined && isProvenDead(watcher, this.#processes)
        : watcher.presence === "lost" && this.#scope.options.onLost === "open";
      if (isStill) await this.#releaseNow(id, why);
    }).catch(() => {
      // The ledger cannot be written now; it stays in the barrier until it can.
      if (this.#changes.isDeleted || !this.#scope.has(id)) return;
      if (why === "dead") this.#absences.lookSoon(id);
      else this.#absences.lost(id);
    });
  }

  async #releaseNow(id: string, why: Departure["why"]): Promise<void> {
    const watcher = this.#scope.watcher(id);
    await this.#rows.release(watcher, why);
    this.#absences.end(id);
    const settled = this.#scope.release(id, this.#ports.clock.wallNs(), why);
    this.#emit(why, watcher);
    this.#changes.notify({ kind: "quiesced" });
    this.#settle(settled);
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
    if (watcher.tracked) await this.#rows.save(watcher);
    try {
      // A deletion that has begun since waits for this registration and removes it too.
      this.#scope.add(watcher);
    } catch (fault) {
      if (watcher.tracked) await this.#rows.forget(watcher.id);
      throw fault;
    }
    this.#emit("joined", watcher);
    this.#changes.progress();
    return this.#scope.watcher(watcher.id);
  }

  async #setTracked(watcher: Watcher, on: boolean): Promise<void> {
    if (on) await this.#rows.save({ ...watcher, tracked: true });
    else if (watcher.tracked) await this.#rows.forget(watcher.id);
    this.#settle(this.#scope.track(watcher.id, on, this.#ports.clock.wallNs()));
    this.#changes.progress();
  }

  #setPresence(id: string, presence: Watcher["presence"]): void {
    this.#settle(this.#scope.setPresence(id, presence, this.#ports.clock.wallNs()));
    this.#changes.progress();
  }

  #lose(id: string): void {
    const watcher = this.#scope.watcher(id);
    if (!watcher.tracked) {
      // No barrier waits for it, and the ledger does not have it.
      this.release(id).catch(() => {});
      return;
    }
    this.#setPresence(id, "lost");
    this.#absences.lost(id);
    this.#emit("lost", watcher, `its lease of ${watcher.leaseMs} ms ran out`);
    this.#changes.notify({ kind: "blocked" });
  }

  #settle(settled: Settled | undefined): void {
    if (settled !== undefined) this.#changes.notify({ kind: "settled", settled });
  }

  #emit(what: string, { id, name, process }: Watcher, reason?: string): void {
    const whose = process === undefined ? {} : { process: processView(process) };
    this.#changes.emit(`watcher.${what}`, { watcher: id, name, ...whose }, reason);
  }
}
