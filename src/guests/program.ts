import { Fault } from "../core/faults.ts";
import { GUEST_LOADS_MAX, GUEST_PAGES_MAX, PAGE_BYTES } from "../core/limits.ts";
import type { GuestStart } from "../core/ports/guest_engine.ts";
import type { GuestFiles } from "../core/ports/guest_files.ts";
import { requireWithin } from "./guest/memory.ts";

/** A program of the guest ABI (docs/guests.md#4). */
export interface Program {
  /** How many pages of memory it has. */
  readonly pfnLimit: number;
  /** Address of the first instruction. */
  readonly start: bigint;
  readonly load: readonly ProgramPiece[];
}

/** A piece of a program's first memory: either a whole inode, or these bytes. */
interface ProgramPiece {
  readonly at: bigint;
  readonly inode?: string | undefined;
  readonly bytes?: Uint8Array | undefined;
}

/**
 * How a guest begins that runs this program.
 *
 * @throws {Fault} `value-not-allowed`, `address-out-of-range`, and as {@linkcode GuestFiles.readAll}
 */
export async function startOfProgram(
  { pfnLimit, start, load }: Program,
  files: GuestFiles,
): Promise<Omit<GuestStart, "identity">> {
  if (!Number.isInteger(pfnLimit) || pfnLimit < 1 || pfnLimit > GUEST_PAGES_MAX) {
    throw new Fault(
      "value-not-allowed",
      `Cannot make a guest: pfnLimit must be from 1 to ${GUEST_PAGES_MAX}: received ${pfnLimit}`,
    );
  }
  if (load.length > GUEST_LOADS_MAX) {
    throw new Fault(
      "value-not-allowed",
      `Cannot make a guest: load may have ${GUEST_LOADS_MAX} pieces: received ${load.length}`,
    );
  }
  const memoryBytes = pfnLimit * PAGE_BYTES;
  requireWithin(start, 1n, memoryBytes);
  const pieces = await Promise.all(load.map(async ({ at, inode = "", bytes }) => {
    const content = bytes ?? await files.readAll(inode);
    requireWithin(at, BigInt(content.length), memoryBytes);
    return { at: Number(at), bytes: content };
  }));
  return { memoryBytes, start: Number(start), load: pieces };
}
