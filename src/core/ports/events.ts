/** Something that changed, as it is told to whoever follows the events. */
export interface EventFact {
  /** What happened to what sort of thing, such as `scope.bumped`. */
  readonly kind: string;
  /** The thing: a name or an id. */
  readonly subject: string;
  /** Why, in the words of whoever asked or of Innkeeper. */
  readonly reason?: string;
  /** What else there is to know; 64-bit numbers may be bigints. */
  readonly data?: Readonly<Record<string, unknown>>;
}

/**
 * Where changes are told. Every change that a caller can notice is told once, after it holds.
 * Telling cannot fail and does not wait.
 */
export interface EventSink {
  emit(fact: EventFact): void;
}
