import type { DeviceDriver, DeviceFileType } from "./device_kinds.ts";

/** What a caller says of a host device (Kata's DeviceInfo). */
export interface DeviceInfo {
  /** Path in the container; never empty. */
  readonly containerPath: string;
  /** Path on the host. It is ignored unless the device is persistent memory. */
  readonly hostPath?: string | undefined;
  readonly type: DeviceFileType;
  readonly major: bigint;
  readonly minor: bigint;
  /** Persistent memory: the host path is the backing file of an NVDIMM. */
  readonly pmem?: boolean | undefined;
  /** Permission bits of the device file. */
  readonly fileMode?: number | undefined;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  readonly driverOptions?: Readonly<Record<string, string>> | undefined;
}

/** Majors that mean vhost-user block devices (Kata's VhostUserBlkMajor and VhostUserSCSIMajor). */
export const VHOST_USER_DRIVERS: ReadonlyMap<bigint, DeviceDriver> = new Map([
  [241n, "vhost-user-blk-pci"],
  [242n, "vhost-user-scsi-pci"],
]);

/** A driver, and in a few words why it is this one. */
export interface DriverChoice {
  readonly driver: DeviceDriver;
  readonly why: string;
}

const VFIO_GROUP = /^\/dev\/vfio\/(?!vfio)./;

/**
 * Chooses the driver of a device as Kata's manager does: by its path on the host, then by its
 * numbers. Unlike Kata, a major counts for block devices only, and 242 is not a plain block device.
 */
export function driverOf({ type, major }: DeviceInfo, hostPath: string): DriverChoice {
  if (VFIO_GROUP.test(hostPath)) {
    return { driver: "vfio", why: `${hostPath} is an IOMMU group that VFIO drives` };
  }
  if (type !== "b") {
    return { driver: "generic", why: `a device of type ${type} is passed on as it is` };
  }
  const vhostUser = VHOST_USER_DRIVERS.get(major);
  if (vhostUser !== undefined) {
    return { driver: vhostUser, why: `major ${major} stands for ${vhostUser}` };
  }
  return { driver: "block", why: `type b is a block device` };
}
