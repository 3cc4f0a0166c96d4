import { Fault } from "../core/faults.ts";
import { BARRIER_NAMES_MAX } from "../core/limits.ts";
import { describe } from "./barrier.ts";
import type { ScopeState } from "./scope.ts";

/**
 * Judges whether every tracked watcher has followed the quiesce that is on.
 *
 * @returns `undefined` while there is somebody to wait for
 * @throws {Fault} `not-quiescing` when no quiesce is on; `not-quiesced` when somebody has said that
 * it cannot follow, since waiting does not help then
 */
export function judgeQuiesce(scope: ScopeState): true | undefined {
  const { name, quiesce, isQuiesced, phase } = scope;
  if (quiesce !== undefined) {
    if (isQuiesced) return true;
    for (const watcher of scope.notQuiesced()) {
      if (scope.inability(watcher) !== undefined) throw notQuiescedFault(scope);
    }
    return undefined;
  }
  throw new Fault(
    "not-quiescing",
    `Cannot wait for scope "${name}" to quiesce: it is ${phase}`,
  );
}

/** The fault of a scope that had to be quiesced: it names the watchers that have not followed. */
export function notQuiescedFault(scope: ScopeState): Fault {
  const { name, phase, quiesce } = scope;
  const late = [...scope.notQuiesced()];
  const names = late.slice(0, 5).map((watcher) => {
    const inability = scope.inability(watcher);
    return inability === undefined ? watcher.name : `${watcher.name} cannot (${inability})`;
  }).join(", ");
  return new Fault(
    "not-quiesced",
    `Scope "${name}" is ${phase}, not quiesced: ` +
      (quiesce === undefined
        ? "POST its quiesce first"
        : `${late.length} watchers have not followed yet: ${names}`),
    {
      members: {
        phase,
        ...quiesce === undefined ? {} : { quiesce: quiesce.id },
        watchers: late.slice(0, BARRIER_NAMES_MAX).map((watcher) => {
          const cannotQuiesce = scope.inability(watcher);
          return { ...describe(watcher), ...cannotQuiesce === undefined ? {} : { cannotQuiesce } };
        }),
      },
    },
  );
}
