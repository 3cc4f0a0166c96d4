import type { LiveScope } from "../generations/live_scope.ts";

/** What long polls know of the quiesces of their scopes. */
export class PolledQuiesces {
  /** Which quiesce of a scope the polls of its watchers were told of, by the watchers' ids. */
  readonly #known = new WeakMap<LiveScope, Map<string, string>>();

  /** The quiesce that the last poll of a watcher was told of; `undefined` for none. */
  knownTo(scope: LiveScope, watcher: string): string | undefined {
    return this.#known.get(scope)?.get(watcher);
  }

  /** The answer to a poll of a watcher says which quiesce is on. */
  tell(scope: LiveScope, watcher: string): void {
    const current = scope.state.quiesce?.id;
    const known = this.#known.get(scope) ?? new Map<string, string>();
    this.#known.set(scope, known);
    if (current === undefined) known.delete(watcher);
    else {
      // Who was told of an earlier one and never came back is not remembered for ever.
      const [earlier] = known.values();
      if (earlier !== undefined && earlier !== current) known.clear();
      known.set(watcher, current);
    }
  }

  /**
   * Watches for another quiesce than the one that a poll knows of.
   *
   * @param known Its id; `undefined` for none
   * @returns A signal that fires then, and at once when it is so already; `stop` ends the watching
   */
  watch(scope: LiveScope, known: string | undefined): { signal: AbortSignal; stop: () => void } {
    const news = new AbortController();
    const look = (): void => {
      if (scope.state.quiesce?.id !== known) news.abort();
    };
    look();
    return { signal: news.signal, stop: scope.listen(look) };
  }
}
