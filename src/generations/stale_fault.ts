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
