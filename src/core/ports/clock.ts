/** The time, as the domains need it. Tests move it by hand. */
export interface Clock {
  /** Wall clock, nanoseconds since 1970-01-01T00:00:00Z. For showing, never for measuring. */
  wallNs(): bigint;
  /** Milliseconds that only go forward. For measuring. */
  monotonicMs(): number;
  /** Calls `action` once after `delayMs`; the returned function cancels it. */
  after(delayMs: number, action: () => void): () => void;
}
