/** What the end of a connection means for a tracked watcher: hold it, or forget it. */
export const ON_DISCONNECT = ["hold", "forget"] as const;

/** What lost watchers mean for a barrier: they block it, or it opens without them. */
export const ON_LOST = ["block", "open"] as const;

/** How a scope treats its watchers. */
export interface ScopeOptions {
  /** Bumps are refused until every tracked watcher has quiesced (docs/generations.md#10). */
  readonly requireQuiesce: boolean;
  /** Every watcher is tracked from its start, as in version 5 of the sysgenid driver. */
  readonly trackOnOpen: boolean;
  readonly onDisconnect: typeof ON_DISCONNECT[number];
  readonly onLost: typeof ON_LOST[number];
  /**
   * Names, or prefixes that end in `*`. Somebody of each must confirm every generation, whether
   * anybody of it watches yet or not (docs/generations.md#expect).
   */
  readonly expect: readonly string[];
  /** How many watchers at least must confirm every generation. */
  readonly atLeast: number;
  /**
   * How long a watcher is lost before it is forgotten, in milliseconds; 0 never forgets. Only where
   * `onLost` is `open`, since a scope that blocks must not open by time alone.
   */
  readonly forgetLostMs: number;
}

/** The options of a scope that nobody set any for. */
export const DEFAULT_OPTIONS: ScopeOptions = {
  requireQuiesce: false,
  trackOnOpen: false,
  onDisconnect: "hold",
  onLost: "block",
  expect: [],
  atLeast: 0,
  forgetLostMs: 0,
};
