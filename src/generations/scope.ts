import { Fault } from "../core/faults.ts";
import { U32_MAX, WATCHERS_PER_SCOPE_MAX } from "../core/limits.ts";

/** How a scope treats its watchers. */
export interface ScopeOptions {
  /** Every watcher is tracked from its start, as in version 5 of the driver. */
  readonly trackOnOpen: boolean;
  /** Whether a tracked watcher whose connection ended still blocks barriers. */
  readonly onDisconnect: "hold" | "forget";
}

/** The options of a scope that nobody set any for. */
export const DEFAULT_OPTIONS: ScopeOptions = { trackOnOpen: false, onDisconnect: "hold" };

/** One change of generation. */
export interface Bump {
  /** The published u32; goes on with 0 after 4294967295. */
  readonly generation: number;
  /** Counts bumps and never wraps, so that no wrap of the generation hides a change. */
  readonly epoch: bigint;
  /** 16 random bytes in hex: tells clones of one snapshot apart. */
  readonly unique: string;
  readonly reason: string;
  /** Who asked for it. */
  readonly by: string;
  /** When, nanoseconds since 1970. */
  readonly atNs: bigint;
}

/** Every tracked watcher has confirmed this generation. */
export interface Settled {
  readonly generation: number;
  readonly epoch: bigint;
  /** From the bump to the last confirmation, in milliseconds. */
  readonly tookMs: number;
}

/** Somebody who wants to know of generations. */
export interface Watcher {
  readonly id: string;
  readonly name: string;
  /** Whether barriers wait for it (the driver's SET_WATCHER_TRACKING). */
  readonly tracked: boolean;
  /** `held`: its connection ended, and it has not been released. */
  readonly presence: "connected" | "held";
  /** The epoch it confirmed last. Behind the scope's own it is outdated. */
  readonly ackedEpoch: bigint;
  /** When it confirmed last, nanoseconds since 1970. */
  readonly ackedAtNs: bigint | undefined;
  /** SHA-256 of its resume token in hex. */
  readonly tokenHash: string;
}

type Mutable<T> = { -readonly [key in keyof T]: T[key] };

/**
 * A counter with its watchers: the sysgenid driver's state for one scope (seed 004). Pure and
 * synchronous; {@linkcode Scopes} makes its changes durable and published.
 */
export class Scope {
  readonly #watchers = new Map<string, Mutable<Watcher>>();
  readonly #byToken = new Map<string, string>();
  #current: Bump;
  #previousGeneration: number | undefined;
  #settledGeneration: number | undefined;
  #tracked = 0;
  #outdated = 0;

  constructor(
    readonly name: string,
    public options: ScopeOptions,
    first: Bump,
    previousGeneration?: number,
  ) {
    this.#current = first;
    this.#previousGeneration = previousGeneration;
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
    return this.#outdated === 0 ? this.generation : this.#settledGeneration;
  }

  get phase(): "running" | "settling" {
    return this.#outdated > 0 ? "settling" : "running";
  }

  /** How many watchers there are, how many are tracked, how many of those are outdated. */
  get counts(): { watchers: number; tracked: number; outdated: number } {
    return { watchers: this.#watchers.size, tracked: this.#tracked, outdated: this.#outdated };
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

  /** The watcher whose resume token, not spent yet, has this hash. */
  byToken(tokenHash: string): Watcher | undefined {
    const id = this.#byToken.get(tokenHash);
    return id === undefined ? undefined : this.#watchers.get(id);
  }

  isOutdated(watcher: Watcher): boolean {
    return watcher.ackedEpoch !== this.epoch;
  }

  /**
   * The next bump, without making it: max(current + 1, minimum), 0 after 4294967295.
   *
   * @param minimum The least generation that is wanted; 0 for no wish (the driver's min_gen)
   */
  next(minimum: number): { generation: number; epoch: bigint } {
    const following = this.generation === U32_MAX ? 0 : this.generation + 1;
    return { generation: Math.max(following, minimum), epoch: this.epoch + 1n };
  }

  /** Makes a bump: from now on every tracked watcher is outdated. */
  apply(bump: Bump): Settled | undefined {
    this.#settledGeneration = this.settledGeneration;
    this.#previousGeneration = this.generation;
    this.#current = bump;
    this.#outdated = this.#tracked;
    return this.#outdated === 0 ? this.#settle(bump.atNs) : undefined;
  }

  /**
   * Adds a watcher. A new one is never outdated; one that comes back can be.
   *
   * @throws {Fault} `watchers-exhausted`
   */
  add(watcher: Watcher): void {
    if (this.#watchers.size >= WATCHERS_PER_SCOPE_MAX) {
      throw new Fault(
        "watchers-exhausted",
        `Cannot watch scope "${this.name}": it has ${this.#watchers.size} watchers already`,
      );
    }
    this.#watchers.set(watcher.id, { ...watcher });
    this.#byToken.set(watcher.tokenHash, watcher.id);
    if (!watcher.tracked) return;
    this.#tracked++;
    if (this.isOutdated(watcher)) this.#outdated++;
  }

  /** Switches tracking of a watcher on or off (the driver's SET_WATCHER_TRACKING). */
  track(id: string, on: boolean, nowNs: bigint): Settled | undefined {
    const watcher = this.#find(id);
    if (watcher.tracked === on) return undefined;
    watcher.tracked = on;
    this.#tracked += on ? 1 : -1;
    if (!this.isOutdated(watcher)) return undefined;
    if (!on) return this.#confirmed(nowNs);
    this.#outdated++;
    return undefined;
  }

  /**
   * Write-to-confirm: a watcher has adapted to exactly this generation (the driver's write).
   * Confirming once more changes nothing.
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
    if (generation !== this.generation || (epoch !== undefined && epoch !== this.epoch)) {
      throw new Fault(
        "stale-generation",
        `Cannot confirm generation ${generation}${epoch === undefined ? "" : ` (epoch ${epoch})`}` +
          ` of scope "${this.name}": current is ${this.generation} (epoch ${this.epoch})`,
        { members: { generation: this.generation, epoch: String(this.epoch) } },
      );
    }
    if (!this.isOutdated(watcher)) return undefined;
    watcher.ackedEpoch = this.epoch;
    watcher.ackedAtNs = nowNs;
    return watcher.tracked ? this.#confirmed(nowNs) : undefined;
  }

  /** The connection of a watcher ended; it still counts. */
  hold(id: string): void {
    this.#find(id).presence = "held";
  }

  /** A watcher came back with its token, which is spent by that. */
  resume(id: string, tokenHash: string): void {
    const watcher = this.#find(id);
    watcher.presence = "connected";
    this.#byToken.delete(watcher.tokenHash);
    this.#byToken.set(tokenHash, id);
    watcher.tokenHash = tokenHash;
  }

  /** Removes a watcher (the driver's close). */
  release(id: string, nowNs: bigint): Settled | undefined {
    const watcher = this.#find(id);
    this.#watchers.delete(id);
    this.#byToken.delete(watcher.tokenHash);
    if (!watcher.tracked) return undefined;
    this.#tracked--;
    return this.isOutdated(watcher) ? this.#confirmed(nowNs) : undefined;
  }

  /** The first `limit` tracked watchers that have not confirmed. */
  late(limit: number): Watcher[] {
    const late: Watcher[] = [];
    for (const watcher of this.#watchers.values()) {
      if (late.length >= limit) break;
      if (watcher.tracked && this.isOutdated(watcher)) late.push(watcher);
    }
    return late;
  }

  #confirmed(nowNs: bigint): Settled | undefined {
    this.#outdated--;
    return this.#outdated === 0 ? this.#settle(nowNs) : undefined;
  }

  #settle(nowNs: bigint): Settled {
    const tookMs = Math.max(0, Number(nowNs - this.#current.atNs) / 1e6);
    return { generation: this.generation, epoch: this.epoch, tookMs };
  }

  #find(id: string): Mutable<Watcher> {
    const watcher = this.#watchers.get(id);
    if (watcher !== undefined) return watcher;
    throw new Fault(
      "watcher-not-found",
      `Cannot find watcher "${id}" of scope "${this.name}": it was released or never was`,
    );
  }
}
