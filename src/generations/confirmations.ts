import { BARRIER_NAMES_MAX, WATCHERS_PER_SCOPE_MAX } from "../core/limits.ts";
import type { Watcher } from "./watcher.ts";

/** Somebody who watched a scope and left before it had confirmed the current generation. */
export interface Departure {
  readonly id: string;
  readonly name: string;
}

/** How many have confirmed the current generation of a scope, and who left: begins anew at a bump. */
export class Confirmations {
  readonly #gone: Watcher[] = [];
  readonly #departed: Departure[] = [];
  readonly #broken: Set<string>;
  #count = 0;

  constructor(broken: Iterable<string>) {
    this.#broken = new Set(broken);
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

  add(): void {
    this.#count++;
  }

  /** Past the bound it is as if those who left had never confirmed, so the barrier stays shut. */
  leaveConfirmed(watcher: Watcher): void {
    if (this.#gone.length < WATCHERS_PER_SCOPE_MAX) this.#gone.push(watcher);
    else this.#count--;
  }

  /** @param patterns By which it was expected */
  leaveUnconfirmed({ id, name }: Watcher, wasLate: boolean, patterns: readonly string[]): void {
    for (const pattern of patterns) this.#broken.add(pattern);
    if (!wasLate) return;
    this.#departed.push({ id, name });
    if (this.#departed.length > BARRIER_NAMES_MAX) this.#departed.shift();
  }

  /** Expectations begin anew: who left before no longer counts. */
  expectAnew(): void {
    this.#broken.clear();
  }

  /** A bump: nobody has confirmed the new generation. */
  reset(): void {
    this.#gone.length = 0;
    this.#departed.length = 0;
    this.#count = 0;
    this.#broken.clear();
  }
}
