import { BARRIER_NAMES_MAX, WATCHERS_PER_SCOPE_MAX } from "../core/limits.ts";
import type { Watcher } from "./watcher.ts";

/** Somebody who watched a scope and left before it had confirmed the current generation. */
export interface Departure {
  readonly id: string;
  readonly name: string;
  /**
   * `released`: by itself, an operator, or the end of its connection where that releases;
   * `dead`: it was superseded, and its process is proven to have ended; `forgotten`: it was lost
   * for so long that the scope no longer remembers it.
   */
  readonly why: "released" | "dead" | "forgotten";
}

/** What is remembered of a scope over a restart, beside its watchers. */
export interface PastOfScope {
  readonly broken?: Iterable<string> | undefined;
  readonly forgotten?: Iterable<Departure> | undefined;
  readonly departed?: Iterable<Departure> | undefined;
  readonly gone?: Iterable<Watcher> | undefined;
}

/** How many have confirmed the current generation of a scope, and who left: begins anew at a bump. */
export class Confirmations {
  readonly #gone: Watcher[];
  readonly #departed: Departure[];
  readonly #broken: Set<string>;
  readonly #forgotten: Departure[];
  /** Whether those who were forgotten need not be named from the next generation on. */
  #isForgottenOver = false;
  #count = 0;

  constructor(
    { broken = [], forgotten = [], departed = [], gone = [] }: PastOfScope,
  ) {
    this.#gone = [...gone];
    this.#count = this.#gone.length;
    this.#broken = new Set(broken);
    this.#forgotten = [...forgotten];
    this.#departed = [...departed];
  }

  /** How many have confirmed, those who left since included. */
  get count(): number {
    return this.#count;
  }

  /** Who has confirmed and left since. */
  get gone(): readonly Watcher[] {
    return this.#gone;
  }

  /** The last tracked watchers that left before they had confirmed. */
  get departed(): readonly Departure[] {
    return this.#departed;
  }

  /** Expected patterns that stay unmet, since somebody left before it had confirmed. */
  get broken(): ReadonlySet<string> {
    return this.#broken;
  }

  /** The last watchers that were forgotten. They are named until a bump after new options. */
  get forgotten(): readonly Departure[] {
    return this.#forgotten;
  }

  /** What is remembered once there was a bump. */
  get afterBump(): Required<Pick<Confirmations, "gone" | "broken" | "forgotten" | "departed">> {
    return {
      gone: [],
      broken: new Set(),
      departed: [],
      forgotten: this.#isForgottenOver ? [] : this.#forgotten,
    };
  }

  add(): void {
    this.#count++;
  }

  /** What a watcher has confirmed no longer counts. */
  withdraw(): void {
    this.#count--;
  }

  /** Past the bound it is as if those who left had never confirmed, so the barrier stays shut. */
  leaveConfirmed(watcher: Watcher): void {
    if (this.#gone.length < WATCHERS_PER_SCOPE_MAX) this.#gone.push(watcher);
    else this.#count--;
  }

  /** @param patterns By which it was expected */
  leaveUnconfirmed(
    { id, name }: Watcher,
    wasLate: boolean,
    patterns: readonly string[],
    why: Departure["why"],
  ): void {
    for (const pattern of patterns) this.#broken.add(pattern);
    if (wasLate && why !== "forgotten") this.#note(this.#departed, { id, name, why });
  }

  forget({ id, name }: Watcher): void {
    this.#note(this.#forgotten, { id, name, why: "forgotten" });
  }

  /** Expectations begin anew: who left before no longer counts. */
  expectAnew(): void {
    this.#broken.clear();
    this.#isForgottenOver = true;
  }

  /** A bump: nobody has confirmed the new generation. */
  reset(): void {
    this.#gone.length = 0;
    this.#departed.length = 0;
    if (this.#isForgottenOver) this.#forgotten.length = 0;
    this.#isForgottenOver = false;
    this.#count = 0;
    this.#broken.clear();
  }

  #note(list: Departure[], departure: Departure): void {
    list.push(departure);
    if (list.length > BARRIER_NAMES_MAX) list.shift();
  }
}
