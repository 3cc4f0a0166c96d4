import { U32_MAX, U64_MAX } from "../core/limits.ts";
import type { FoundPages } from "./pages.ts";
import type { Bump } from "./scope.ts";

/** The least values that a bump at start must pass. */
interface Recovery {
  readonly minimum: number;
  readonly epoch: bigint;
}

/**
 * Whether what was found in the pages at start asks for a bump. The ledger wins (spec decision 3):
 * pages that show its current or its previous bump are brought in line, since the process may
 * have died between commit and store. Anything else, a state folder from a backup for one, must
 * be bumped past, so that no value that was ever published is used for another event.
 *
 * @returns `undefined` when the pages need no more than mending
 */
export function recoveryOf(
  found: FoundPages,
  current: Bump,
  previousGeneration: number | undefined,
): Recovery | undefined {
  const { generation } = found;
  // An epoch at the end of its range was written by somebody else: there is nothing past it.
  const epoch = found.epoch === U64_MAX ? undefined : found.epoch;
  const known = [undefined, current.generation, previousGeneration];
  if (known.includes(generation) && (epoch === undefined || epoch <= current.epoch)) {
    return undefined;
  }
  const past = generation === undefined || generation === U32_MAX ? 0 : generation + 1;
  const ahead = epoch !== undefined && epoch > current.epoch ? epoch : current.epoch;
  return { minimum: past, epoch: ahead + 1n };
}
