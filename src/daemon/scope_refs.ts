import type { LiveScope } from "../generations/live_scope.ts";
import { DEFAULT_OPTIONS } from "../generations/scope_options.ts";
import type { Scopes } from "../generations/scopes.ts";

/** The scopes that guests live in: one that was made for guests goes with the last of them. */
export class ScopeRefs {
  readonly #scopes: Scopes;
  /** How many guests each scope has, and whether it was made for them. */
  readonly #scopeRefs = new Map<string, { guests: number; readonly isOurs: boolean }>();
  #isClosing = false;

  constructor(scopes: Scopes) {
    this.#scopes = scopes;
  }

  /** Finds the scope of a guest that is to come, or makes it. */
  async enter(name: string): Promise<LiveScope> {
    const isOurs = !this.#scopes.has(name);
    const lodging = this.#scopeRefs.get(name) ?? { guests: 0, isOurs };
    this.#scopeRefs.set(name, lodging);
    lodging.guests++;
    try {
      if (this.#scopes.has(name)) return this.#scopes.get(name);
      return (await this.#scopes.put(name, DEFAULT_OPTIONS)).scope;
    } catch (fault) {
      await this.leave(name);
      throw fault;
    }
  }

  /** A guest of a scope is gone. A scope that somebody watches stays. */
  async leave(name: string): Promise<void> {
    const lodging = this.#scopeRefs.get(name);
    if (lodging === undefined || --lodging.guests > 0) return;
    this.#scopeRefs.delete(name);
    // One that somebody still watches, or that is deleted already, is left as it is.
    if (lodging.isOurs && !this.#isClosing) await this.#scopes.delete(name, false).catch(() => {});
  }

  /** From now on scopes stay: the next process finds the guests that end now lost in them. */
  close(): void {
    this.#isClosing = true;
  }
}
