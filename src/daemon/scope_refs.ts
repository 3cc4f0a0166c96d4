import type { LiveScope } from "../generations/live_scope.ts";
import type { ScopeOptions } from "../generations/scope_options.ts";
import type { Scopes } from "../generations/scopes.ts";

/** Counts the guests of each scope: a scope that was made for guests goes with the last of them. */
export class ScopeRefs {
  readonly #scopes: Scopes;
  readonly #refs = new Map<string, { guests: number; wasMade: boolean }>();
  #isClosing = false;

  constructor(scopes: Scopes) {
    this.#scopes = scopes;
  }

  /**
   * Finds the scope of a guest that is to come, or makes it.
   *
   * @param options Of a scope that is made
   * @param allow Throws when the guest must not enter it, or must not make it
   */
  async enter(
    name: string,
    options: ScopeOptions,
    allow: (isMade: boolean) => void = () => {},
  ): Promise<LiveScope> {
    const ref = this.#refs.get(name) ?? { guests: 0, wasMade: false };
    this.#refs.set(name, ref);
    ref.guests++;
    try {
      return await this.#scopes.findOrMake(name, options, (isMade) => {
        allow(isMade);
        ref.wasMade ||= isMade;
      });
    } catch (fault) {
      await this.leave(name);
      throw fault;
    }
  }

  /** A guest of a scope is gone. A scope that somebody watches stays. */
  async leave(name: string): Promise<void> {
    const ref = this.#refs.get(name);
    if (ref === undefined || --ref.guests > 0) return;
    this.#refs.delete(name);
    // A scope that somebody still watches, or that is deleted already, is left as it is.
    if (ref.wasMade && !this.#isClosing) await this.#scopes.delete(name, false).catch(() => {});
  }

  /** From now on scopes stay: the next process finds the guests that end now lost in them. */
  close(): void {
    this.#isClosing = true;
  }
}
