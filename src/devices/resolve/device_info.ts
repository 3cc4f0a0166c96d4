import type { DeviceDriver, DeviceFileType } from "./device_kinds.ts";

/** What a caller tells of a host device (seed 002, DeviceInfo). */
export interface DeviceInfo {
  /** Path in the container; never empty. */
  readonly containerPath: string;
  /** Path on the host; only looked at for persistent memory. */
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

/** Majors that stand for vhost-user block devices (seed 002, VhostUserBlkMajor and …SCSIMajor). */
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
 * The driver of a device, as Kata's manager chooses it by its path on the host, then by its
 * numbers. Unlike there a major counts for block devices only, and 242 is told from a plain one.
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
