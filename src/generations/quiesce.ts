import { Fault } from "../core/faults.ts";
import { BARRIER_NAMES_MAX } from "../core/limits.ts";
import { describe } from "./barrier.ts";
import type { ScopeState } from "./scope.ts";

/**
 * Judges whether every tracked watcher has followed the quiesce that is on.
 *
 * @returns `undefined` while there is somebody to wait for
 * @throws {Fault} `not-quiescing` when no quiesce is on
 */
export function judgeQuiesce({ name, quiesce, isQuiesced, phase }: ScopeState): true | undefined {
  if (quiesce !== undefined) return isQuiesced ? true : undefined;
  throw new Fault(
    "not-quiescing",
    `Cannot wait for scope "${name}" to quiesce: it is ${phase}`,
  );
}

/** The fault of a scope that had to be quiesced: it names the watchers that have not followed. */
export function notQuiescedFault(scope: ScopeState): Fault {
  const { name, phase, quiesce } = scope;
  const late = [...scope.notQuiesced()];
  const names = late.slice(0, 5).map((watcher) => watcher.name).join(", ");
  return new Fault(
    "not-quiesced",
    `Scope "${name}" is ${phase}, not quiesced: ` +
      (quiesce === undefined
        ? "POST its quiesce first"
        : `${late.length} watchers have not followed yet: ${names}`),
    { members: { phase, watchers: late.slice(0, BARRIER_NAMES_MAX).map(describe) } },
  );
}
