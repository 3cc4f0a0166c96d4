import { matchesPattern } from "../core/name_pattern.ts";
import type { ScopeOptions } from "./scope_options.ts";
import type { Watcher } from "./watcher.ts";

export { matchesPattern };

/** What is still to come before the expectations are met. */
export interface Unmet {
  /** Expected names of which nobody has confirmed yet, or not everybody. */
  readonly names: readonly string[];
  /** Of those: names of which somebody left without confirming, so that waiting does not help. */
  readonly broken: readonly string[];
  /** How many confirmations are missing for `atLeast`. */
  readonly missing: number;
}

/** Who has confirmed the current generation of a scope, and who has yet to. */
interface ConfirmedView {
  readonly watchers: Iterable<Watcher>;
  readonly confirmedCount: number;
  hasConfirmed(watcher: Watcher): boolean;
  /** Also those who left since. */
  confirmed(): Iterable<Watcher>;
}

/**
 * Judges whom a scope expects (docs/generations.md#expect). Joining is no confirmation: a name counts once somebody of it has
 * confirmed the current generation by an ack of its own, and nobody of it has yet to.
 *
 * @param broken Patterns by which somebody was expected who left without confirming
 */
export function unmetOf(
  { expect, atLeast }: Pick<ScopeOptions, "expect" | "atLeast">,
  scope: ConfirmedView,
  broken: ReadonlySet<string>,
): Unmet {
  const missing = Math.max(0, atLeast - scope.confirmedCount);
  if (expect.length === 0) return { names: [], broken: [], missing };
  const has = (some: Iterable<Watcher>, pattern: string): boolean =>
    Iterator.from(some).some(({ name }) => matchesPattern(pattern, name));
  const awaited = [...scope.watchers].filter((watcher) => !scope.hasConfirmed(watcher));
  const names = expect.filter((pattern) =>
    broken.has(pattern) || has(awaited, pattern) || !has(scope.confirmed(), pattern)
  );
  return { names, broken: names.filter((pattern) => broken.has(pattern)), missing };
}
