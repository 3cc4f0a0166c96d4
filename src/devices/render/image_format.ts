import type { BlockDrive } from "../host/host_device.ts";
import { refuse } from "./plugging.ts";

/** Image formats that hypervisors tell apart (docs/devices.md#formats). */
export type ImageFormat =
  | "raw"
  | "qcow2"
  | "vmdk"
  | "vhdx"
  | "vhd"
  | "vdi"
  | "qed"
  | "qcow"
  | "luks";

const IMAGES: ReadonlyMap<string, ImageFormat> = new Map([
  ...["raw", "qcow2", "vmdk", "vhdx", "vhd", "vdi", "qed", "qcow", "luks"].map((word) =>
    [word, word as ImageFormat] as const
  ),
  // QEMU names it after Virtual PC.
  ["vpc", "vhd"],
]);

/** What Linux calls the file systems of block devices. An image that is one is raw. */
const FILE_SYSTEMS: ReadonlySet<string> = new Set([
  ...["ext2", "ext3", "ext4", "xfs", "btrfs", "bcachefs", "f2fs", "jfs", "nilfs2", "reiserfs"],
  ...["zfs", "gfs2", "ocfs2", "minix", "swap"],
  ...["erofs", "squashfs", "cramfs", "romfs", "iso9660", "udf"],
  ...["vfat", "msdos", "fat", "exfat", "ntfs", "ntfs3", "hfs", "hfsplus"],
]);

/**
 * The image format of a drive.
 *
 * @throws {Refusal} for a word that is neither a format nor a file system: taken for raw, the guest
 * would see the image's own books and write over them
 */
export function imageFormat({ format }: BlockDrive): ImageFormat {
  const image = IMAGES.get(format) ?? (FILE_SYSTEMS.has(format) ? "raw" : undefined);
  return image ?? refuse(`format "${format}" is no image format or file system that it knows`);
}

/**
 * Persistent memory is shown to the guest byte by byte, as it is in the file.
 *
 * @throws {Refusal}
 */
export function requireRaw(block: BlockDrive): void {
  if (imageFormat(block) !== "raw") refuse(`it takes raw images only, not ${block.format}`);
}

/**
 * An image format keeps books inside the file, which two writers destroy. No hypervisor can share
 * such a file.
 *
 * @throws {Refusal}
 */
export function requireShareable(block: BlockDrive): void {
  if (!block.shareRw) return;
  const format = imageFormat(block);
  if (format !== "raw") refuse(`two who write to one ${format} image (shareRw) destroy it`);
}
