import { Fault } from "../core/faults.ts";
import { WATCHERS_PER_SCOPE_MAX } from "../core/limits.ts";
import type { Moment } from "../core/moment.ts";
import { type Bump, nextAfter } from "./bump.ts";
import { Confirmations, type Departure, type PastOfScope } from "./confirmations.ts";
import { matchesPattern, type Unmet, unmetOf } from "./expectations.ts";
import { type Phase, type Settled, settledAt } from "./phase.ts";
import { type BegunQuiesce, Quiescing } from "./quiescing.ts";
import type { ScopeOptions } from "./scope_options.ts";
import { scopeFull, staleFault, watcherNotFound } from "./scope_faults.ts";
import { TokenIndex } from "./token_index.ts";
import { type Comeback, NEVER_CONFIRMED, type Watcher } from "./watcher.ts";

/**
 * What everybody may read of a scope. It has nothing that changes the scope: changes go through
 * {@linkcode LiveScope} and {@linkcode ScopeWatchers}, which commit them to the ledger first.
 */
export type ScopeState = Readonly<
  Pick<Scope, "name" | "options" | BumpQuery | PhaseQuery | WatcherQuery>
>;
type BumpQuery = "current" | "generation" | "epoch" | "previousGeneration" | "next";
type PhaseQuery = "phase" | "quiesce" | "isQuiesced" | "notQuiesced" | "settledGeneration";
type WatcherQuery =
  | ("watchers" | "watcher" | "has" | "byToken" | "bySpentToken" | "counts" | "troubles" | "late")
  | ("isOutdated" | "hasFailed" | "hasQuiesced" | "inability" | "isSettled" | "awaitsOnlyLost")
  | ("unmet" | "hasConfirmed" | "confirmed" | "confirmedCount" | "departed" | "broken")
  | "past";

type Mutable<T> = { -readonly [key in keyof T]: T[key] };

/**
 * A counter with its watchers: what the sysgenid driver knows, for one scope. It is pure and
 * synchronous; {@linkcode LiveScope} makes its changes durable and publishes them.
 */
export class Scope {
  /** Measures settling by a clock that nobody sets; whoever has one gives it. */
  msSince: (moment: Moment | undefined) => number | undefined = () => undefined;
  readonly #watchers = new Map<string, Mutable<Watcher>>();
  readonly #tokens = new TokenIndex();
  /** The tracked watchers that have not confirmed the current generation. */
  readonly #outdated = new Set<string>();
  readonly #quiescing = new Quiescing();
  readonly #confirmations: Confirmations;
  #options: ScopeOptions;
  #current: Bump;
  #previousGeneration: number | undefined;
  #settledGeneration: number | undefined;
  #tracked = 0;

  /** @param past See {@linkcode Confirmations} */
  constructor(
    readonly name: string,
    options: ScopeOptions,
    first: Bump,
    previousGeneration?: number,
    past: PastOfScope = {},
  ) {
    this.#options = options;
    this.#current = first;
    this.#previousGeneration = previousGeneration;
    this.#confirmations = new Confirmations(past);
  }

  get options(): ScopeOptions {
    return this.#options;
  }

  /** The bump that made the current generation. */
  get current(): Bump {
    return this.#current;
  }

  get generation(): number {
    return this.#current.generation;
  }

  get epoch(): bigint {
    return this.#current.epoch;
  }

  /** The generation before the current one, where it is known. */
  get previousGeneration(): number | undefined {
    return this.#previousGeneration;
  }

  /** The last generation that all tracked watchers confirmed, where it is known. */
  get settledGeneration(): number | undefined {
    return this.isSettled ? this.generation : this.#settledGeneration;
  }

  get phase(): Phase {
    if (this.quiesce !== undefined) return this.isQuiesced ? "quiesced" : "quiescing";
    return this.isSettled ? "running" : "settling";
  }

  /** Whether a barrier has nobody left to wait for. */
  get isSettled(): boolean {
    if (this.#outdated.size > 0 && !(this.#options.onLost === "open" && this.awaitsOnlyLost)) {
      return false;
    }
    const { names, missing } = this.unmet();
    return names.length === 0 && missing === 0;
  }

  /**
   * What is still missing of whom the scope expects.
   *
   * @param atLeast More confirmations than the scope itself wants
   */
  unmet(atLeast = 0): Unmet {
    const expectations = {
      expect: this.#options.expect,
      atLeast: Math.max(atLeast, this.#options.atLeast),
    };
    return unmetOf(expectations, this, this.broken);
  }

  /** Whether a watcher has confirmed the current generation by an ack of its own. */
  hasConfirmed(watcher: Watcher): boolean {
    // Whoever is new has the current epoch too, but has not confirmed any generation.
    return !this.isOutdated(watcher) && watcher.ackedGeneration !== undefined;
  }

  /** Who has confirmed the current generation, also when it left since. */
  *confirmed(): IterableIterator<Watcher> {
    yield* this.#confirmations.gone;
    for (const watcher of this.#watchers.values()) if (this.hasConfirmed(watcher)) yield watcher;
  }

  get confirmedCount(): number {
    return this.#confirmations.count;
  }

  /** See {@linkcode Confirmations.departed}. */
  get departed(): readonly Departure[] {
    return this.#confirmations.departed;
  }

  /** See {@linkcode Confirmations.broken}. */
  get broken(): ReadonlySet<string> {
    return this.#confirmations.broken;
  }

  /** What survives a restart beside the watchers. */
  get past(): Pick<Confirmations, "gone" | "departed" | "broken" | "forgotten" | "afterBump"> {
    return this.#confirmations;
  }

  /** Whether some tracked watchers have not confirmed, and all of those are lost. */
  get awaitsOnlyLost(): boolean {
    for (const id of this.#outdated) if (this.#find(id).presence !== "lost") return false;
    return this.#outdated.size > 0;
  }

  /** The quiesce that is on, if one is. */
  get quiesce(): BegunQuiesce | undefined {
    return this.#quiescing.current;
  }

  /** The number of watchers, of tracked ones, and of tracked ones that are outdated. */
  get counts(): { watchers: number; tracked: number; outdated: number } {
    return {
      watchers: this.#watchers.size,
      tracked: this.#tracked,
      outdated: this.#outdated.size,
    };
  }

  /** Of the outdated tracked watchers: how many have failed, are held, and are lost. */
  get troubles(): { failed: number; held: number; lost: number } {
    const troubles = { failed: 0, held: 0, lost: 0 };
    for (const watcher of this.late()) {
      if (this.hasFailed(watcher)) troubles.failed++;
      if (watcher.presence !== "connected") troubles[watcher.presence]++;
    }
    return troubles;
  }

  get watchers(): IterableIterator<Watcher> {
    return this.#watchers.values();
  }

  /** @throws {Fault} `watcher-not-found` */
  watcher(id: string): Watcher {
    return this.#find(id);
  }

  has(id: string): boolean {
    return this.#watchers.has(id);
  }

  /** The watcher whose resume token has this hash. A token that was spent has none. */
  byToken(tokenHash: string): Watcher | undefined {
    const id = this.#tokens.unspent(tokenHash);
    return id === undefined ? undefined : this.#watchers.get(id);
  }

  /** The watchers that may know no newer token than this one, though somebody has returned with it. */
  bySpentToken(tokenHash: string): readonly Watcher[] {
    return this.#tokens.spent(tokenHash).map((id) => this.#find(id));
  }

  isOutdated(watcher: Watcher): boolean {
    return watcher.ackedEpoch !== this.epoch;
  }

  /** Whether it has said that it cannot adapt to the current generation. */
  hasFailed(watcher: Watcher): boolean {
    return watcher.failure?.epoch === this.epoch;
  }

  /** The tracked watchers that have not confirmed, in the order in which they came. */
  *late(): IterableIterator<Watcher> {
    for (const id of this.#outdated) yield this.#find(id);
  }

  /**
   * The generation and epoch of the next bump: max(current + 1, minimum), and 0 after 4294967295.
   *
   * @param minimum The least generation that is wanted (the driver's min_gen); 0 for any
   */
  next(minimum: number): { generation: number; epoch: bigint } {
    return nextAfter(this.#current, minimum);
  }

  /** Makes a bump. Every tracked watcher is outdated from now on, and a quiesce ends. */
  apply(bump: Bump): Settled | undefined {
    this.#settledGeneration = this.settledGeneration;
    this.#previousGeneration = this.generation;
    this.#current = bump;
    this.endQuiesce();
    this.#confirmations.reset();
    for (const watcher of this.#watchers.values()) {
      watcher.outdatedSinceNs ??= bump.atNs;
      if (watcher.tracked) this.#outdated.add(watcher.id);
    }
    return this.isSettled ? settledAt(bump, bump.atNs) : undefined;
  }

  /** Changes the options. Expectations begin anew: who left before no longer counts. */
  configure(options: ScopeOptions, nowNs: bigint): Settled | undefined {
    const wasSettled = this.isSettled;
    this.#options = options;
    this.#confirmations.expectAnew();
    return this.#settledSince(wasSettled, nowNs);
  }

  /** @throws {Fault} `watchers-exhausted` when the scope is full */
  requireRoom(): void {
    if (this.#watchers.size < WATCHERS_PER_SCOPE_MAX) return;
    throw scopeFull(this, this.#watchers.size);
  }

  /**
   * Adds a watcher. One that comes back can be outdated.
   *
   * @throws {Fault} `watchers-exhausted`
   */
  add(watcher: Watcher): void {
    this.requireRoom();
    this.#watchers.set(watcher.id, {
      ...watcher,
      outdatedSinceNs: this.isOutdated(watcher) ? this.#current.atNs : undefined,
    });
    this.#tokens.add(watcher);
    if (this.#counts(watcher)) this.#confirmations.add();
    if (!watcher.tracked) return;
    this.#tracked++;
    if (this.isOutdated(watcher)) this.#outdated.add(watcher.id);
  }

  /** Switches tracking of a watcher on or off (the driver's SET_WATCHER_TRACKING). */
  track(id: string, on: boolean, nowNs: bigint): Settled | undefined {
    const watcher = this.#find(id);
    if (watcher.tracked === on) return undefined;
    const wasSettled = this.isSettled;
    watcher.tracked = on;
    this.#tracked += on ? 1 : -1;
    if (on && this.isOutdated(watcher)) this.#outdated.add(id);
    else this.#outdated.delete(id);
    return this.#settledSince(wasSettled, nowNs);
  }

  /**
   * A watcher has adapted to exactly this generation (the driver's write, docs/generations.md#6).
   * Confirming twice is no error.
   *
   * @throws {Fault} `stale-generation` (EINVAL) with the current one
   */
  ack(
    id: string,
    generation: number,
    epoch: bigint | undefined,
    nowNs: bigint,
  ): Settled | undefined {
    const watcher = this.#find(id);
    this.requireCurrent("confirm", generation, epoch);
    watcher.failure = undefined;
    if (this.#counts(watcher)) return undefined;
    const wasSettled = this.isSettled;
    watcher.ackedEpoch = this.epoch;
    watcher.ackedGeneration = generation;
    watcher.ackedAtNs = nowNs;
    watcher.outdatedSinceNs = undefined;
    // Somebody who was superseded is back with this.
    watcher.supersededBy = undefined;
    this.#confirmations.add();
    this.#outdated.delete(id);
    return this.#settledSince(wasSettled, nowNs);
  }

  /**
   * A watcher could not adapt to this generation. It may still confirm it later.
   *
   * @throws {Fault} `stale-generation`; `already-confirmed` when it has confirmed this generation
   */
  fail(id: string, generation: number, reason: string, nowNs: bigint): void {
    const watcher = this.#find(id);
    this.requireCurrent("report a failure of", generation, undefined);
    if (!this.isOutdated(watcher)) {
      throw new Fault(
        "already-confirmed",
        `Cannot report a failure of generation ${generation}: watcher "${id}" has confirmed it`,
      );
    }
    watcher.failure = { epoch: this.epoch, generation, reason, atNs: nowNs };
  }

  /** The current generation was sent to a watcher. One that is gone by now is passed over. */
  markNotified(id: string, nowNs: bigint): void {
    const watcher = this.#watchers.get(id);
    if (watcher !== undefined) watcher.notified = { epoch: this.epoch, atNs: nowNs };
  }

  /** Changes whether a watcher is there. One that comes or goes no longer counts as quiesced. */
  setPresence(id: string, presence: Watcher["presence"], nowNs: bigint): Settled | undefined {
    const watcher = this.#find(id);
    const wasSettled = this.isSettled;
    Object.assign(watcher, { presence, presenceSinceNs: nowNs });
    this.#quiescing.forget(id);
    return this.#settledSince(wasSettled, nowNs);
  }

  /**
   * A watcher came back with its token. That spends the token, and the watcher gets another.
   *
   * @param supersededId Whoever was this watcher until now may live: it stays, under this id
   */
  resume(id: string, change: Comeback, nowNs: bigint, supersededId?: string): void {
    const watcher = this.#find(id);
    if (supersededId !== undefined) this.#leaveBehind(watcher, supersededId);
    this.#tokens.delete(watcher);
    // It may be another process than the one that quiesced.
    this.#quiescing.forget(id);
    const { isUpToDate, ...members } = change;
    if (!isUpToDate) this.#doubt(watcher);
    Object.assign(watcher, members, {
      ...{ presence: "connected", presenceSinceNs: nowNs },
      ...{ supersededBy: undefined, isTokenSpent: undefined },
    });
    this.#tokens.add(watcher);
  }

  /** Whether it is one of those whom `atLeast` counts. Of a watcher and its successor only one is. */
  #counts(watcher: Watcher): boolean {
    return this.hasConfirmed(watcher) && watcher.supersededBy === undefined;
  }

  /** Nothing proves that who is this watcher now has adapted, so it has to confirm. */
  #doubt(watcher: Mutable<Watcher>): void {
    if (this.#counts(watcher)) this.#confirmations.withdraw();
    watcher.ackedEpoch = NEVER_CONFIRMED;
    watcher.outdatedSinceNs ??= this.#current.atNs;
    if (watcher.tracked) this.#outdated.add(watcher.id);
  }

  /** Whoever was a watcher stays, with what it has confirmed, beside its successor. */
  #leaveBehind(watcher: Watcher, id: string): void {
    this.requireRoom();
    const superseded = { ...watcher, id, supersededBy: watcher.id, isTokenSpent: true };
    this.#watchers.set(id, superseded);
    this.#tokens.add(superseded);
    if (!watcher.tracked) return;
    this.#tracked++;
    if (this.isOutdated(watcher)) this.#outdated.add(id);
  }

  /** Changes how a watcher is called, whose it is, and how long it is held before it is lost. */
  change(id: string, change: Pick<Watcher, "name" | "leaseMs" | "owner">): void {
    Object.assign(this.#find(id), change);
  }

  /** Gives a watcher over HTTP its next token. */
  changeToken(
    id: string,
    change: Pick<Watcher, "tokenHash" | "previousTokenHash" | "showsToken">,
  ): void {
    const watcher = this.#find(id);
    this.#tokens.delete(watcher);
    Object.assign(watcher, change);
    this.#tokens.add(watcher);
  }

  /** The expected patterns that stay unmet when a watcher leaves now. */
  brokenBy(id: string, why: Departure["why"] = "released"): readonly string[] {
    const watcher = this.#find(id);
    const { name } = watcher;
    // Somebody else goes on under the name of who was superseded, and has to confirm itself.
    const hasSuccessor = why === "dead" || watcher.supersededBy !== undefined;
    if (this.hasConfirmed(watcher) || hasSuccessor) return [];
    return this.#options.expect.filter((pattern) => matchesPattern(pattern, name));
  }

  /** Removes a watcher (the driver's close). */
  release(id: string, nowNs: bigint, why: Departure["why"] = "released"): Settled | undefined {
    const watcher = this.#find(id);
    const wasSettled = this.isSettled;
    const wasLate = this.#outdated.delete(id);
    if (this.#counts(watcher)) this.#confirmations.leaveConfirmed(watcher);
    else this.#confirmations.leaveUnconfirmed(watcher, wasLate, this.brokenBy(id, why), why);
    if (why === "forgotten") this.#confirmations.forget(watcher);
    this.#watchers.delete(id);
    this.#quiescing.forget(id);
    this.#tokens.delete(watcher);
    if (watcher.tracked) this.#tracked--;
    return this.#settledSince(wasSettled, nowNs);
  }

  /** Begins a quiesce. If one is on, it begins anew. */
  beginQuiesce(quiesce: BegunQuiesce): void {
    this.#quiescing.begin(quiesce);
  }

  /** Ends a quiesce, if one is on. */
  endQuiesce(): void {
    this.#quiescing.begin(undefined);
  }

  /**
   * A watcher answers a quiesce: it has followed it, or cannot.
   *
   * @param quiesce Which one it answers; the one that is on where it does not say
   * @param inability Why it cannot follow
   * @throws {Fault} `not-quiescing` when another one is on, or none
   */
  markQuiesced(id: string, quiesce?: string, inability?: string): void {
    this.#find(id);
    this.#quiescing.answer(this, id, quiesce, inability);
  }

  /** Whether a quiesce is on and every watcher that must follow it has done so. */
  get isQuiesced(): boolean {
    return this.quiesce !== undefined && this.notQuiesced().next().done === true;
  }

  /** Whether a watcher has followed the quiesce that is on. */
  hasQuiesced({ id }: Watcher): boolean {
    return this.#quiescing.hasFollowed(id);
  }

  /** Why a watcher cannot follow the quiesce that is on, if it has said so. */
  inability({ id }: Watcher): string | undefined {
    return this.#quiescing.inability(id);
  }

  /** The tracked watchers that have not quiesced. Lost ones count only where they block. */
  *notQuiesced(): IterableIterator<Watcher> {
    for (const watcher of this.#watchers.values()) {
      if (!watcher.tracked || this.#quiescing.hasFollowed(watcher.id)) continue;
      if (watcher.presence === "lost" && this.#options.onLost === "open") continue;
      yield watcher;
    }
  }

  /** @throws {Fault} `stale-generation` when another generation or epoch is current */
  requireCurrent(action: string, generation: number, epoch: bigint | undefined): void {
    if (generation === this.generation && (epoch === undefined || epoch === this.epoch)) return;
    throw staleFault(this, action, generation, epoch);
  }

  /** What happened when a change was the one after which nobody is waited for. */
  #settledSince(wasSettled: boolean, nowNs: bigint): Settled | undefined {
    return !wasSettled && this.isSettled ? this.#settled(nowNs) : undefined;
  }

  #settled(nowNs: bigint): Settled {
    return settledAt(this.#current, nowNs, this.msSince(this.#current.moment));
  }

  #find(id: string): Mutable<Watcher> {
    const watcher = this.#watchers.get(id);
    if (watcher !== undefined) return watcher;
    throw watcherNotFound(this, id);
  }
}
