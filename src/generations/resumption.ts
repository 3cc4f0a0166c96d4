import { Fault } from "../core/faults.ts";
import { isSameProcess, type Processes, type ProcessIdentity } from "../core/ports/processes.ts";
import type { Caller } from "../core/rights.ts";
import type { ScopeState } from "./scope.ts";
import type { Watcher } from "./watcher.ts";

/** Who registers a watcher or speaks for one; nobody when the daemon itself does. */
export type Registrant = Pick<Caller, "name" | "may">;

/** What becomes of somebody who comes back with a token (docs/generations.md#tokens). */
export type Resumption =
  /** It goes on as this watcher, and nobody else can be this watcher any more. */
  | { readonly kind: "continue"; readonly watcher: Watcher }
  /** It goes on as this watcher; whoever was it may live, and stays in the barrier. */
  | { readonly kind: "supersede"; readonly watcher: Watcher }
  /** It is a watcher of its own. `dead` had its token before and are proven to have ended. */
  | { readonly kind: "stranger"; readonly dead: readonly Watcher[] };

/** Who comes back: the hash of its token, and its process where that is proven. */
interface Returning {
  readonly tokenHash: string;
  readonly peer: ProcessIdentity | undefined;
  readonly by: Registrant | undefined;
}

/**
 * Judges who comes back with a token. A snapshot of a program holds its token too, so the token
 * alone does not tell the program from its clone; only the host can.
 */
export function judgeResumption(
  scope: ScopeState,
  { tokenHash, peer, by }: Returning,
  processes: Processes,
): Resumption {
  const watcher = scope.byToken(tokenHash);
  if (watcher !== undefined && mayAdopt(watcher, by)) {
    const isAlone = isSameProcess(watcher.peer, peer) || isProvenDead(watcher, processes);
    return { kind: isAlone ? "continue" : "supersede", watcher };
  }
  // The answer with the next token may have been lost on its way. Whoever proves to be the process
  // that it was meant for goes on; a clone cannot prove that.
  const before = scope.bySpentToken(tokenHash).filter((one) => mayAdopt(one, by));
  const same = before.find((one) =>
    isSameProcess(one.peer, peer) || one.supersededBy === undefined && isSameListener(one, by)
  );
  if (same !== undefined) return { kind: "continue", watcher: same };
  return { kind: "stranger", dead: before.filter((one) => isProvenDead(one, processes)) };
}

/** Whether both came by one socket that was made at run time: only one guest has that. */
function isSameListener({ owner }: Watcher, by: Registrant | undefined): boolean {
  return owner !== undefined && owner.startsWith("listener:") && owner === by?.name;
}

/** Whether nobody can be this watcher any more: its connection has ended and its process too. */
export function isProvenDead({ presence, peer }: Watcher, processes: Processes): boolean {
  return presence !== "connected" && peer !== undefined && processes.isGone(peer);
}

/**
 * Whether somebody who comes back is up to date: only when the epoch that it says it confirmed last,
 * the one that was confirmed with its token, and the current one are equal.
 */
export function isUpToDate(
  { epoch }: ScopeState,
  { ackedEpoch }: Watcher,
  confirmed: bigint | undefined,
): boolean {
  return confirmed === epoch && ackedEpoch === epoch;
}

/** Whether somebody may come back as a watcher: nobody's becomes the first one's who does. */
export function mayAdopt({ owner }: Watcher, by: Registrant | undefined): boolean {
  return by === undefined || owner === undefined || owner === by.name || by.may("admin");
}

/** The fault of a caller that is not the principal of a watcher. */
export function notOwned(id: string, scope: string): Fault {
  return new Fault(
    "watcher-not-owned",
    `Cannot speak for watcher "${id.slice(0, 80)}" of scope "${scope}": another principal ` +
      "registered it, and only that one or an admin can confirm for it or release it",
  );
}
