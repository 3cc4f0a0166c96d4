import type { EventFact, EventSink } from "../../src/core/ports/events.ts";

/** Collects what is told. */
export class CollectedEvents implements EventSink {
  readonly facts: EventFact[] = [];

  emit(fact: EventFact): void {
    this.facts.push(fact);
  }

  /** The kinds told so far, in order. */
  get kinds(): string[] {
    return this.facts.map(({ kind }) => kind);
  }
}
