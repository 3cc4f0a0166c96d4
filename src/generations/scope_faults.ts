import { Fault } from "../core/faults.ts";

/** The fault of a caller that means another generation than the current one. */
export function staleFault(
  scope: { readonly name: string; readonly generation: number; readonly epoch: bigint },
  action: string,
  generation: number,
  epoch: bigint | undefined,
): Fault {
  return new Fault(
    "stale-generation",
    `Cannot ${action} generation ${generation}${epoch === undefined ? "" : ` (epoch ${epoch})`}` +
      ` of scope "${scope.name}": current is ${scope.generation} (epoch ${scope.epoch})`,
    { members: { generation: scope.generation, epoch: String(scope.epoch) } },
  );
}

/** The fault of a watcher that is not there. */
export function watcherNotFound(scope: { readonly name: string }, id: string): Fault {
  return new Fault(
    "watcher-not-found",
    `Cannot find watcher "${id}" of scope "${scope.name}": it was released or never was`,
  );
}

/** The fault of a scope that has no room for another watcher. */
export function scopeFull(scope: { readonly name: string }, watchers: number): Fault {
  return new Fault(
    "watchers-exhausted",
    `Cannot watch scope "${scope.name}": it has ${watchers} watchers already`,
  );
}
