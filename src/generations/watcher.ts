/**
 * Watchers, and where each of them stands (docs/generations.md#states).
 *
 * ```text
 *             leave()              its lease runs out
 * connected ───────────▶ held ───────────────────────▶ lost
 *     ▲                   │                             │
 *     └── watch(token) ───┴─────────────────────────────┘
 *
 * up to date ── bump ──▶ outdated ── ack(the exact generation) ──▶ up to date
 *                           │  ▲
 *                     fail()└──┘ it stays outdated, with a reason; an ack clears that
 * ```
 *
 * Both are independent of each other. Beside them a watcher can be **superseded**: somebody came with
 * its token, and it is not proven that it is gone (docs/generations.md#tokens). A watcher over HTTP has no connection: each of its requests
 * makes it connected, and its lease runs from there. One that is not tracked is never held or lost:
 * it is released instead.
 *
 * @module
 */

import type { ProcessIdentity } from "../core/ports/processes.ts";

/** The acked epoch of who has proven nothing: no epoch is below 0. */
export const NEVER_CONFIRMED = -1n;

/** A watcher could not adapt to a generation. */
export interface Failure {
  readonly epoch: bigint;
  readonly generation: number;
  readonly reason: string;
  /** When it said so, nanoseconds since 1970. */
  readonly atNs: bigint;
}

/**
 * Whether a watcher is there. `held`: its connection ended and its lease runs; `lost`: its lease
 * has run out.
 */
const PRESENCES = ["connected", "held", "lost"] as const;

/** What is shown of a presence: one that is superseded is called so until it is lost. */
export const SHOWN_PRESENCES = [...PRESENCES, "superseded"] as const;

/** A process that watches through an open file of the mount. */
export interface WatchingProcess {
  /** 0 when it could not be seen. */
  readonly pid: number;
  /** What the kernel called it when it opened the file. */
  readonly comm: string;
  /** When it began, in clock ticks since boot: tells it from a later one of the same number. */
  readonly startTicks: string;
  /** Device number of the mounted file system, in decimal. */
  readonly mount: string;
  /** The boot of the host in which it runs: no process outlives it. */
  readonly boot: string;
}

/** A process as people are shown it. */
export function processView({ pid, comm }: WatchingProcess): { pid: number; comm: string } {
  return { pid, comm };
}

/** Somebody who wants to know of generations. */
export interface Watcher {
  readonly id: string;
  readonly name: string;
  /** Whether barriers wait for it (the driver's SET_WATCHER_TRACKING). */
  readonly tracked: boolean;
  readonly presence: typeof PRESENCES[number];
  /** Since when it has this presence, nanoseconds since 1970. */
  readonly presenceSinceNs: bigint;
  /** How long it is held before it is lost, in milliseconds. */
  readonly leaseMs: number;
  /** The epoch it confirmed last. It is outdated while this is not the scope's own. */
  readonly ackedEpoch: bigint;
  /** The generation it confirmed last, where it has confirmed one. */
  readonly ackedGeneration?: number | undefined;
  /** When it confirmed last, nanoseconds since 1970. */
  readonly ackedAtNs?: bigint | undefined;
  /**
   * When the first bump came that it has not confirmed, nanoseconds since 1970. After a restart of
   * the daemon it is the last bump's time, since only that one is stored. `undefined` while it is
   * up to date.
   */
  readonly outdatedSinceNs?: bigint | undefined;
  /** Last generation notice sent. Only an ack proves receipt. */
  readonly notified?: { readonly epoch: bigint; readonly atNs: bigint } | undefined;
  /** Why it could not adapt, if it has said so and nothing since. */
  readonly failure?: Failure | undefined;
  /**
   * The name of the principal that registered it, which alone speaks for it, admins aside
   * (docs/access.md#5). Watchers of earlier versions have none until somebody comes back as one.
   */
  readonly owner?: string | undefined;
  /** SHA-256 in hex of the newest resume token that it was given. */
  readonly tokenHash?: string | undefined;
  /**
   * The process whose open file this watcher is. It has no lease: a close releases it, and after a
   * crash of the daemon it is held until no process has the file any more (docs/mount.md#2).
   */
  readonly process?: WatchingProcess | undefined;
  /** Somebody else came with that token: it superseded this watcher, which may be back since. */
  readonly isTokenSpent?: boolean | undefined;
  /** The same of the token that it came with, until its newest one is used. */
  readonly previousTokenHash?: string | undefined;
  /** Over HTTP: it has shown a token, so it is no longer believed without one. */
  readonly showsToken?: boolean | undefined;
  /** The process that it is in, where the host has proven what it says of itself. */
  readonly peer?: ProcessIdentity | undefined;
  /**
   * The watcher that came with its token, while it may live itself: it has neither confirmed since,
   * nor is its end proven.
   */
  readonly supersededBy?: string | undefined;
}

/** What a watcher that comes back gets and says. */
export interface Comeback {
  readonly tokenHash: string;
  /** The hash of the token that it came with. */
  readonly previousTokenHash: string;
  readonly name: string;
  readonly leaseMs: number;
  readonly owner: string | undefined;
  readonly peer: ProcessIdentity | undefined;
  /** Whether it is proven to have confirmed the current epoch. */
  readonly isUpToDate: boolean;
}

/** Whether a watcher is there, as people are shown it. */
export function shownPresence(
  { presence, supersededBy }: Watcher,
): typeof SHOWN_PRESENCES[number] {
  return supersededBy !== undefined && presence !== "lost" ? "superseded" : presence;
}
