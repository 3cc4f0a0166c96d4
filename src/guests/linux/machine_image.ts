import type { DiskImage } from "./disk.ts";
import type { FidImage } from "./ninep/server.ts";
import type { ReseedLineImage } from "./reseed_line.ts";

/** The devices of a Linux guest in a snapshot, beside the engine's own state. */
export interface MachineHead {
  readonly disks: readonly DiskImage[];
  /** Name of the root that it saw over 9p. */
  readonly share: string | undefined;
  readonly fids: readonly FidImage[];
  readonly reseed: ReseedLineImage;
}

/** The devices, with what the guest has written to its disks. */
export interface MachineImage extends MachineHead {
  /** The bytes of all overlays, disk by disk and range by range. */
  readonly overlays: Uint8Array<ArrayBuffer>;
}

/** How many bytes the overlays of these disks hold. */
export function overlayBytes(disks: readonly DiskImage[]): number {
  return disks.flatMap(({ ranges }) => ranges).reduce((sum, [, length]) => sum + length, 0);
}
