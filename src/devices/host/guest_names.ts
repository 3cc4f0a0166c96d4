import { HYPERVISOR_ID_CHARS_MAX } from "../../core/limits.ts";
import type { BlockDriver } from "../resolve/device_kinds.ts";

const LETTERS = 26;
const UNITS_PER_TARGET = 256;

/**
 * The name that Linux gives to the virtio disk of this index (Kata's GetVirtDriveName). Letters
 * count from `vda` to `vdz`, then `vdaa`.
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { virtioDiskName } from "./guest_names.ts";
 *
 * assertEquals([0, 25, 26, 702].map(virtioDiskName), ["vda", "vdz", "vdaa", "vdaaa"]);
 * ```
 */
export function virtioDiskName(index: number): string {
  let letters = "";
  for (let rest = index; rest >= 0; rest = Math.floor(rest / LETTERS) - 1) {
    letters = String.fromCharCode(0x61 + rest % LETTERS) + letters;
  }
  return `vd${letters}`;
}

/**
 * The SCSI target and unit of a block index (Kata's GetSCSIIdLun).
 *
 * @example
 * ```ts
 * import { assertEquals } from "@std/assert";
 * import { scsiAddress } from "./guest_names.ts";
 *
 * assertEquals(scsiAddress(259), "1:3");
 * ```
 */
export function scsiAddress(index: number): string {
  return `${Math.floor(index / UNITS_PER_TARGET)}:${index % UNITS_PER_TARGET}`;
}

/**
 * Where a guest sees a block device of this index (as Kata). `undefined` for persistent memory, and
 * for SCSI disks: their guests count names in the order in which they find the disks.
 */
export function virtPath(driver: BlockDriver, index: number): string | undefined {
  if (driver === "nvdimm" || driver === "virtio-scsi") return undefined;
  // The first disk of a virtio-mmio guest is its root file system.
  return `/dev/${virtioDiskName(driver === "virtio-mmio" ? index + 1 : index)}`;
}

/** An id that is short enough for every hypervisor. */
export function hypervisorId(prefix: string, id: string, suffix = ""): string {
  return `${prefix}-${id}${suffix}`.slice(0, HYPERVISOR_ID_CHARS_MAX);
}
