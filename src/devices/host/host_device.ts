import { type DeviceInfo, driverOf } from "../resolve/device_info.ts";
import type {
  BlockDriver,
  CacheType,
  HostDeviceKind,
  VhostUserType,
} from "../resolve/device_kinds.ts";
import type { Storage } from "../resolve/storage.ts";
import type { VfioFinding } from "../resolve/vfio.ts";

/** Where a hypervisor says that it has plugged a device. */
export interface DeviceReport {
  readonly mmioAddr?: string | undefined;
  readonly pciAddr?: string | undefined;
  readonly nvdimmId?: string | undefined;
  readonly devNo?: string | undefined;
}

/** A block device as a drive (Kata's BlockDrive). What is reported goes with the last holder. */
export interface BlockDrive extends DeviceReport {
  readonly driver: BlockDriver;
  /** Path of the image or device on the host. */
  readonly file: string;
  /** `raw`, another image format, or a file system. */
  readonly format: string;
  /** What it is called in the hypervisor. */
  readonly id: string;
  /** Of an attached drive. */
  readonly index?: number | undefined;
  /** `<target>:<unit>` of an attached drive. */
  readonly scsiAddr?: string | undefined;
  /** Where the guest sees an attached drive. */
  readonly virtPath?: string | undefined;
  readonly shareRw: boolean;
  readonly readOnly: boolean;
  readonly pmem: boolean;
  /** `writeback` when it is left out. */
  readonly cacheType?: CacheType | undefined;
  /** Whether the file is a device of the host. */
  readonly isDevice: boolean;
  readonly sizeBytes?: bigint | undefined;
}

/** A plugged device of an IOMMU group (Kata's VFIODev). */
export interface VfioDevice extends VfioFinding {
  /** What it is called in the hypervisor. */
  readonly id: string;
  /** The root port that it is behind, such as `rp0`; empty when it is no PCI Express device. */
  readonly bus: string;
}

/** What vhost-user devices share (Kata's VhostUserDeviceAttrs). */
export interface VhostUserDevice extends Pick<DeviceReport, "pciAddr"> {
  readonly devId: string;
  readonly socketPath: string;
  readonly type: VhostUserType;
  /** Of a network device. */
  readonly macAddress?: string | undefined;
  /** Of a file system. */
  readonly tag?: string | undefined;
  readonly cacheSize?: number | undefined;
  readonly cache?: string | undefined;
  /** Of an attached block device whose driver takes one. */
  readonly index?: number | undefined;
}

/** A source of randomness (Kata's RNGDev). */
export interface RngDevice {
  readonly id: string;
  readonly filename: string;
}

/** A folder of the host that a guest mounts, over virtio-fs or virtio-9p. */
export interface SharedFolder {
  readonly id: string;
  readonly source: string;
  readonly tag: string;
  readonly readOnly: boolean;
}

/** Who holds a device. */
export interface Holder {
  readonly name: string;
  /** Since when, nanoseconds since 1970. */
  readonly sinceNs: bigint;
  /** How long it counts as alive after each sign of life, in milliseconds; `undefined` for ever. */
  readonly leaseMs?: number | undefined;
}

/** A device of the host in a sandbox. It is never changed, only replaced. */
export interface HostDevice {
  readonly id: string;
  readonly kind: HostDeviceKind;
  readonly sandbox: string;
  /** What the caller said of it, with the path that was found. */
  readonly info: DeviceInfo & { readonly hostPath: string };
  /** Why it is of this kind and has this driver. */
  readonly why: string;
  readonly createdNs: bigint;
  /** In the order in which they came. */
  readonly holders: readonly Holder[];
  /** What it is or is on, as it was last looked at; `undefined` where that is not known. */
  readonly storage?: Storage | undefined;
  readonly block?: BlockDrive | undefined;
  /** Of an attached IOMMU group. */
  readonly vfio?: readonly VfioDevice[] | undefined;
  readonly vhostUser?: VhostUserDevice | undefined;
  readonly rng?: RngDevice | undefined;
  readonly sharedFolder?: SharedFolder | undefined;
}

/**
 * Whether a device is known by its numbers. Those of sockets, files and persistent memory say
 * nothing.
 */
export function isNumbered(
  { info, vhostUser, rng, sharedFolder }: Pick<
    HostDevice,
    "info" | "vhostUser" | "rng" | "sharedFolder"
  >,
): boolean {
  return vhostUser === undefined && rng === undefined && sharedFolder === undefined &&
    info.pmem !== true && (info.major !== 0n || info.minor !== 0n);
}

/** The block index that a device has, `undefined` for none. */
export function blockIndexOf({ block, vhostUser }: HostDevice): number | undefined {
  return block?.index ?? vhostUser?.index;
}

/** The root ports that a device has. */
export function rootPortsOf({ vfio = [] }: HostDevice): number[] {
  return vfio.filter(({ bus }) => bus !== "").map(({ bus }) => Number(bus.slice("rp".length)));
}

/**
 * Whether other sandboxes may have the same device while this one has it. A block device or an
 * IOMMU group that is registered as generic can still be written to, so it is not shared.
 */
export function isShareable({ kind, info, block }: HostDevice): boolean {
  switch (kind) {
    case "block":
      return block?.readOnly === true || block?.shareRw === true;
    case "generic":
      return driverOf(info, info.hostPath).driver === "generic";
    case "rng":
    case "virtio-fs":
    case "virtio-9p":
      return true;
    default:
      return false;
  }
}
