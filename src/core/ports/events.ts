import type { Target } from "../rights.ts";

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

/** Who may be shown a change. */
export interface Audience {
  /** What one must be permitted to read. */
  readonly about: Target;
  /**
   * It was said from inside of a guest: reason and data are shown only to those who have the
   * permission `guest` on it.
   */
  readonly isInside?: boolean;
}

/**
 * Where domains report changes. Every change that a caller can notice is reported once, after it
 * took effect. A report cannot fail and does not wait.
 */
export interface EventSink {
  /** @param audience Only those who may read everything when it is left out */
  emit(fact: EventFact, audience?: Audience): void;
}
