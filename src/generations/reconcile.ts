import { EPOCH_BELIEVED_MAX, U32_MAX } from "../core/limits.ts";
import type { FoundPages } from "./pages.ts";
import type { Bump } from "./bump.ts";

/** The least values that a bump at start must have. */
interface Recovery {
  readonly minimum: number;
  readonly floorEpoch: bigint;
}

/**
 * Tells whether what the pages showed at start makes a bump necessary. The ledger wins
 * (docs/generations.md#recovery): pages that show its current or its previous bump are mended,
 * since the process may have died between commit and store. Anything else, such as a state folder
 * from a backup, must be bumped past, so that no value that was ever published is used for another
 * event.
 *
 * @returns `undefined` when the pages need no more than mending
 */
export function recoveryOf(
  found: FoundPages,
  current: Bump,
  previousGeneration: number | undefined,
): Recovery | undefined {
  const { generation } = found;
  // No scope is bumped so often: somebody else wrote it, and too little may be past it.
  const epoch = (found.epoch ?? 0n) > EPOCH_BELIEVED_MAX ? undefined : found.epoch;
  const known = [undefined, current.generation, previousGeneration];
  if (known.includes(generation) && (epoch === undefined || epoch <= current.epoch)) {
    return undefined;
  }
  const past = generation === undefined || generation === U32_MAX ? 0 : generation + 1;
  const ahead = epoch !== undefined && epoch > current.epoch ? epoch : current.epoch;
  return { minimum: past, floorEpoch: ahead + 1n };
}
