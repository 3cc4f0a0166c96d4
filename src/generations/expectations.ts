import type { ScopeOptions } from "./scope_options.ts";
import type { Watcher } from "./watcher.ts";

/** What is still to come before the expectations are met. */
export interface Unmet {
  /** Expected names of which nobody has confirmed yet, or not everybody. */
  readonly names: readonly string[];
  /** Of those: names of which somebody left without confirming, so that waiting does not help. */
  readonly broken: readonly string[];
  /** How many confirmations are missing for `atLeast`. */
  readonly missing: number;
}

/** Whether a name is expected by a pattern. */
export function matchesPattern(pattern: string, name: string): boolean {
  return pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

/**
 * Judges whom a scope expects (docs/generations.md#expect). Joining is no confirmation: a name counts once somebody of it has
 * confirmed the current generation by an ack of its own, and nobody of it has yet to.
 *
 * @param confirmed Those who have confirmed the current generation, also when they left since
 * @param watchers Those who are there
 * @param broken Patterns by which somebody was expected who left without confirming
 */
export function unmetOf(
  { expect, atLeast }: Pick<ScopeOptions, "expect" | "atLeast">,
  confirmed: ReadonlyMap<string, Pick<Watcher, "name">>,
  watchers: Iterable<Pick<Watcher, "id" | "name">>,
  broken: ReadonlySet<string>,
): Unmet {
  const missing = Math.max(0, atLeast - confirmed.size);
  if (expect.length === 0) return { names: [], broken: [], missing };
  const awaited = [...watchers].filter(({ id }) => !confirmed.has(id));
  const has = (some: Iterable<Pick<Watcher, "name">>, pattern: string): boolean =>
    Iterator.from(some).some(({ name }) => matchesPattern(pattern, name));
  const names = expect.filter((pattern) =>
    broken.has(pattern) || has(awaited, pattern) || !has(confirmed.values(), pattern)
  );
  return { names, broken: names.filter((pattern) => broken.has(pattern)), missing };
}
