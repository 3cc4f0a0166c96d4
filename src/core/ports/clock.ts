/** The time. Tests move it by hand. */
export interface Clock {
  /** Wall clock, nanoseconds since 1970-01-01T00:00:00Z. Only for people: it may jump. */
  wallNs(): bigint;
  /** Milliseconds that never go back, for measuring. */
  monotonicMs(): number;
  /**
   * Names the count that {@linkcode monotonicMs} reads, such as the boot of the machine: a reading
   * of an earlier process may be compared with one of this where both have the same. Without one
   * they are never compared.
   */
  readonly monotonicId?: string | undefined;
  /** Calls `action` once after `delayMs`; the returned function cancels it. */
  after(delayMs: number, action: () => void): () => void;
}
