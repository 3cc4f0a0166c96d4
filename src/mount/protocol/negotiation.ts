import {
  MOUNT_BACKGROUND_MAX,
  MOUNT_READ_BYTES,
  MOUNT_WRITE_BYTES_MAX,
  PAGE_BYTES,
} from "../../core/limits.ts";
import { INIT, MAJOR, MINOR } from "./numbers.ts";
import type { InitReply } from "./reply.ts";

/** What the kernel offers in an INIT. */
interface Offer {
  readonly major: number;
  readonly minor: number;
  readonly flags: bigint;
  readonly maxReadahead: number;
}

/** Taken where it is offered. Never the kernel's write-back cache (docs/mount.md#6). */
const WANTED = INIT.asyncRead | INIT.bigWrites |
  INIT.parallelDirops | INIT.maxPages | INIT.initExt | INIT.passthrough;

/** One file system below a mount: backing files lie on one that is not stacked itself. */
const STACK_DEPTH = 1;

/** The first version with flags beyond bit 31: Linux 5.17. */
const MINOR_LEAST = 36;

/** Whether a kernel speaks a version of the protocol that is new enough. */
export function isSpoken({ major, minor }: Offer): boolean {
  return major === MAJOR && minor >= MINOR_LEAST;
}

/** The answer to an INIT, and whether maps can show backing files. */
export function negotiate(offer: Offer): InitReply & { readonly canPassThrough: boolean } {
  const flags = offer.flags & WANTED;
  return {
    major: MAJOR,
    minor: Math.min(offer.minor, MINOR),
    maxReadahead: Math.min(offer.maxReadahead, MOUNT_READ_BYTES),
    flags,
    maxBackground: MOUNT_BACKGROUND_MAX,
    congestionThreshold: MOUNT_BACKGROUND_MAX,
    maxWrite: MOUNT_WRITE_BYTES_MAX,
    maxPages: MOUNT_WRITE_BYTES_MAX / PAGE_BYTES,
    maxStackDepth: STACK_DEPTH,
    canPassThrough: (flags & INIT.passthrough) !== 0n,
  };
}
