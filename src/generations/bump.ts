import { type Moment, momentOf } from "../core/moment.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { Random } from "../core/ports/random.ts";
import { U32_MAX } from "../core/limits.ts";

/** One change of generation. */
export interface Bump {
  /** The published u32; goes on with 0 after 4294967295. */
  readonly generation: number;
  /** Counts bumps and never wraps, so that no wrap of the generation hides a change. */
  readonly epoch: bigint;
  /** 16 random bytes in hex: tells clones of one snapshot apart (docs/generations.md#4). */
  readonly unique: string;
  readonly reason: string;
  /** Who requested it. */
  readonly by: string;
  /** When, nanoseconds since 1970. */
  readonly atNs: bigint;
  /** The same by the monotonic clock, to measure from: the wall clock may be set meanwhile. */
  readonly moment?: Moment | undefined;
}

/** Makes a bump of this moment, with an identity of its own. */
export function mintBump(
  { random, clock }: { readonly random: Random; readonly clock: Clock },
  next: Pick<Bump, "generation" | "epoch">,
  reason: string,
  by: string,
): Bump {
  const unique = random.bytes(16).toHex();
  return { ...next, unique, reason, by, atNs: clock.wallNs(), moment: momentOf(clock) };
}

/** The generation and epoch after a bump: max(current + 1, minimum), and 0 after 4294967295. */
export function nextAfter(
  { generation, epoch }: Pick<Bump, "generation" | "epoch">,
  minimum: number,
): Pick<Bump, "generation" | "epoch"> {
  const following = generation === U32_MAX ? 0 : generation + 1;
  return { generation: Math.max(following, minimum), epoch: epoch + 1n };
}
