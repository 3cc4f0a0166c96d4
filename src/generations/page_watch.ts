import { PAGE_LOOK_MS, PAGES_PER_LOOK } from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";

/** A scope whose pages can be looked at. */
interface Inspectable {
  inspectPages(): void;
}

/**
 * Looks at the pages of all scopes again and again, and has mended what somebody else wrote. Nothing
 * tells of a store through a mapping, so each page is compared (docs/generations.md#foreign).
 */
export class PageWatch implements Disposable {
  readonly #scopes: () => readonly Inspectable[];
  readonly #clock: Clock;
  /** The scopes that are still to be looked at in this round. */
  #left: readonly Inspectable[] = [];
  /** Between two turns of this round. */
  #pauseMs = PAGE_LOOK_MS;
  #cancel: () => void;

  /** @param scopes All scopes that there are now */
  constructor(scopes: () => readonly Inspectable[], clock: Clock) {
    this.#scopes = scopes;
    this.#clock = clock;
    this.#cancel = clock.after(PAGE_LOOK_MS, () => this.#look());
  }

  [Symbol.dispose](): void {
    this.#cancel();
  }

  #look(): void {
    if (this.#left.length === 0) {
      this.#left = this.#scopes();
      this.#pauseMs = PAGE_LOOK_MS / Math.max(1, Math.ceil(this.#left.length / PAGES_PER_LOOK));
    }
    for (const scope of this.#left.slice(0, PAGES_PER_LOOK)) scope.inspectPages();
    this.#left = this.#left.slice(PAGES_PER_LOOK);
    this.#cancel = this.#clock.after(this.#pauseMs, () => this.#look());
  }
}
