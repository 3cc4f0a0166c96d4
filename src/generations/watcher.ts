/** A watcher could not adapt to a generation. */
interface Failure {
  readonly epoch: bigint;
  readonly generation: number;
  readonly reason: string;
  /** When it said so, nanoseconds since 1970. */
  readonly atNs: bigint;
}

/**
 * Whether a watcher is there. `held`: its connection ended and its lease runs; `lost`: its lease has
 * run out.
 */
export const PRESENCES = ["connected", "held", "lost"] as const;

/** Somebody who wants to know of generations. */
export interface Watcher {
  readonly id: string;
  readonly name: string;
  /** Whether barriers wait for it (the driver's SET_WATCHER_TRACKING). */
  readonly tracked: boolean;
  readonly presence: typeof PRESENCES[number];
  /** Since when that is so, nanoseconds since 1970. */
  readonly presenceSinceNs: bigint;
  /** How long it is held before it is lost, in milliseconds. */
  readonly leaseMs: number;
  /** The epoch it confirmed last. Behind the scope's own it is outdated. */
  readonly ackedEpoch: bigint;
  /** The generation it confirmed last, where it has confirmed one. */
  readonly ackedGeneration: number | undefined;
  /** When it confirmed last, nanoseconds since 1970. */
  readonly ackedAtNs: bigint | undefined;
  /**
   * When the first bump was that it has not confirmed, nanoseconds since 1970; after a restart of
   * the daemon the last bump's time, since only that is kept. `undefined` while it is up to date.
   */
  readonly outdatedSinceNs: bigint | undefined;
  /** The telling it was sent last. That it was sent does not say that it was read. */
  readonly told: { readonly epoch: bigint; readonly atNs: bigint } | undefined;
  /** Why it could not adapt, if that was its last word. */
  readonly failure: Failure | undefined;
  /** SHA-256 of its resume token in hex; a watcher over HTTP has a name of its own instead. */
  readonly tokenHash: string | undefined;
}
