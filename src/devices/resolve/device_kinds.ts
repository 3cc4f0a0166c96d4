/**
 * The kinds of host devices, and the words that go with them. This file imports nothing, so the
 * wire can take its enums from here.
 *
 * @module
 */

/** Types of device files: character, unbuffered character, block, FIFO (mknod(1)). */
export const DEVICE_FILE_TYPES = ["c", "u", "b", "p"] as const;

/** One of {@linkcode DEVICE_FILE_TYPES}. */
export type DeviceFileType = typeof DEVICE_FILE_TYPES[number];

/** Kinds that a device's numbers and path alone can tell (Kata's DeviceType). */
export const DEVICE_DRIVERS = [
  "vfio",
  "block",
  "generic",
  "vhost-user-blk-pci",
  "vhost-user-scsi-pci",
] as const;

/** One of {@linkcode DEVICE_DRIVERS}. */
export type DeviceDriver = typeof DEVICE_DRIVERS[number];

/** Kinds of devices behind a vhost-user socket. */
export const VHOST_USER_TYPES = [
  "vhost-user-blk-pci",
  "vhost-user-scsi-pci",
  "virtio-net-pci",
  "vhost-user-fs-pci",
] as const;

/** One of {@linkcode VHOST_USER_TYPES}. */
export type VhostUserType = typeof VHOST_USER_TYPES[number];

/** Kinds of folders that a guest mounts. */
export const SHARED_FOLDER_TYPES = ["virtio-fs", "virtio-9p"] as const;

/** One of {@linkcode SHARED_FOLDER_TYPES}. */
export type SharedFolderType = typeof SHARED_FOLDER_TYPES[number];

/** Every kind of host device: Kata's, and what else a hypervisor plugs. */
export const HOST_DEVICE_KINDS = [
  "vfio",
  "block",
  "generic",
  ...VHOST_USER_TYPES,
  ...SHARED_FOLDER_TYPES,
  "rng",
] as const;

/** One of {@linkcode HOST_DEVICE_KINDS}. */
export type HostDeviceKind = typeof HOST_DEVICE_KINDS[number];

/** How a block device is shown to a guest. */
export const BLOCK_DRIVERS = [
  "virtio-blk",
  "virtio-mmio",
  "virtio-blk-ccw",
  "virtio-scsi",
  "nvdimm",
] as const;

/** One of {@linkcode BLOCK_DRIVERS}. */
export type BlockDriver = typeof BLOCK_DRIVERS[number];

/**
 * What becomes of a guest's flushes: `writeback` waits until the bytes are on storage, `unsafe` drops
 * them.
 */
export const CACHE_TYPES = ["writeback", "unsafe"] as const;

/** One of {@linkcode CACHE_TYPES}. */
export type CacheType = typeof CACHE_TYPES[number];

/** How a device of an IOMMU group is driven (Kata's VFIODeviceType). */
export const VFIO_DEVICE_TYPES = ["error", "normal", "mediated"] as const;

/** One of {@linkcode VFIO_DEVICE_TYPES}. */
export type VfioDeviceType = typeof VFIO_DEVICE_TYPES[number];
