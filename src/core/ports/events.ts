/** A change, as followers of the events see it. */
export interface EventFact {
  /** The sort of thing and what happened to it, such as `scope.bumped`. */
  readonly kind: string;
  /** Name or id of the thing that changed. */
  readonly subject: string;
  /** Why it changed, in the words of the caller or of Innkeeper. */
  readonly reason?: string;
  /** Further values; 64-bit numbers may be bigints. */
  readonly data?: Readonly<Record<string, unknown>>;
}

/**
 * Where domains report changes. Every change that a caller can notice is reported once, after it
 * took effect. A report cannot fail and does not wait.
 */
export interface EventSink {
  emit(fact: EventFact): void;
}
