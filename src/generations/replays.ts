import { Fault } from "../core/faults.ts";
import { IDEMPOTENCY_KEYS_MAX, IDEMPOTENCY_MS, REPLAYS_PURGED_MAX } from "../core/limits.ts";
import { msSince } from "../core/moment.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { LedgerEntry, LedgerRow } from "../core/ports/ledger.ts";
import type { Bump } from "./bump.ts";
import { type BumpBody, bumpBody, bumpOf } from "./records.ts";

/** A request that is carried out once, however often it comes. */
export interface Once {
  /** Who sent it, where to, and its key: a hash. */
  readonly key: string;
  /** The whole request, to tell a repetition from another use of the key: a hash. */
  readonly request: string;
}

/** What a bump was answered. */
interface Answered {
  readonly bump: Bump;
  readonly outdated: number;
}

interface Replay extends Answered, Once {
  /** From when on it is forgotten, milliseconds of the monotonic clock. */
  readonly untilMs: number;
}

type ReplayBody = BumpBody & Pick<Once, "request"> & { readonly outdated: number };

/**
 * The bumps that came with an Idempotency-Key, with their answers. They are in the commit of the
 * bump, so a repetition after a crash bumps no second time (docs/generations.md#once).
 */
export class Replays {
  readonly #clock: Clock;
  /** Oldest first. */
  readonly #replays = new Map<string, Replay>();

  /** @param rows Those that the ledger has */
  constructor(clock: Clock, rows: readonly LedgerRow[]) {
    this.#clock = clock;
    const known = rows.map((row) => this.#readBack(row));
    for (const replay of known.sort((a, b) => a.untilMs - b.untilMs)) {
      this.#replays.set(replay.key, replay);
    }
  }

  /**
   * What this request was answered before; `undefined` when it is new.
   *
   * @throws {Fault} `key-reused`, `keys-exhausted`
   */
  find({ key, request }: Once): Answered | undefined {
    const known = this.#replays.get(key);
    if (known === undefined || known.untilMs <= this.#clock.monotonicMs()) {
      this.#requireRoom();
      return undefined;
    }
    if (known.request === request) return known;
    throw new Fault(
      "key-reused",
      "Cannot use this Idempotency-Key again: it came with another request before",
    );
  }

  /** What the commit of a bump has to write, and what it may remove. */
  entries({ key, request }: Once, { bump, outdated }: Answered): LedgerEntry[] {
    const body: ReplayBody = { ...bumpBody(bump), request, outdated };
    return [...this.#old(key), { kind: "replay", id: key, body }];
  }

  /** Notes an answer that the ledger has. */
  add(once: Once, { bump, outdated }: Answered): void {
    for (const { id } of this.#old(once.key)) this.#replays.delete(id);
    this.#replays.delete(once.key);
    const untilMs = this.#clock.monotonicMs() + IDEMPOTENCY_MS;
    this.#replays.set(once.key, { ...once, bump, outdated, untilMs });
  }

  /** The entries that remove some that are forgotten by now, so that none stays for ever. */
  #old(except: string): LedgerEntry[] {
    const old: LedgerEntry[] = [];
    for (const { key, untilMs } of this.#replays.values()) {
      if (untilMs > this.#clock.monotonicMs() || old.length === REPLAYS_PURGED_MAX) break;
      if (key !== except) old.push({ kind: "replay", id: key, body: undefined });
    }
    return old;
  }

  #readBack({ id, body }: LedgerRow): Replay {
    const { request, outdated, ...saved } = body as ReplayBody;
    const bump = bumpOf(saved);
    const nowMs = this.#clock.monotonicMs();
    const byWallMs = Math.max(0, Number(this.#clock.wallNs() - bump.atNs) / 1e6);
    const ageMs = msSince(this.#clock, bump.moment) ?? byWallMs;
    return { key: id, request, bump, outdated, untilMs: nowMs + IDEMPOTENCY_MS - ageMs };
  }

  #requireRoom(): void {
    if (this.#replays.size < IDEMPOTENCY_KEYS_MAX) return;
    const [oldest] = this.#replays.values();
    const waitMs = (oldest?.untilMs ?? 0) - this.#clock.monotonicMs();
    if (waitMs <= 0) return;
    throw new Fault(
      "keys-exhausted",
      `Cannot remember another Idempotency-Key: ${this.#replays.size} bumps came within ` +
        `${IDEMPOTENCY_MS / 60_000} minutes: try later, or send the request without one`,
      { retryAfterSeconds: Math.ceil(waitMs / 1000) },
    );
  }
}
