import type { DiskImage } from "./disk.ts";
import type { FidImage } from "./ninep/server.ts";
import type { ReseedLineImage } from "./reseed_line.ts";

/** What a snapshot of a Linux guest says of its machine, beside the engine's own state. */
export interface MachineHead {
  readonly disks: readonly DiskImage[];
  /** Name of the root that it saw over 9p. */
  readonly share: string | undefined;
  readonly fids: readonly FidImage[];
  readonly reseed: ReseedLineImage;
}

/** The same, with what the guest has written to its disks. */
export interface MachineImage extends MachineHead {
  /** The bytes of all overlays, disk by disk and range by range. */
  readonly overlays: Uint8Array<ArrayBuffer>;
}

/** How many bytes of overlays these disks have. */
export function overlayBytes(disks: readonly DiskImage[]): number {
  return disks.flatMap(({ ranges }) => ranges).reduce((sum, [, length]) => sum + length, 0);
}
