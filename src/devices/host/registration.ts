import { Fault } from "../../core/faults.ts";
import {
  type DeviceInfo,
  type DriverChoice,
  driverOf,
  VHOST_USER_DRIVERS,
} from "../resolve/device_info.ts";
import { hypervisorId } from "./guest_names.ts";
import { located } from "./rival.ts";
import {
  type BlockDrive,
  type HostDevice,
  isNumbered,
  type RngDevice,
  type SharedFolder,
  type VhostUserDevice,
} from "./host_device.ts";
import {
  BLOCK_DRIVERS,
  type BlockDriver,
  type HostDeviceKind,
  type SharedFolderType,
  type VhostUserType,
} from "../resolve/device_kinds.ts";
import type { DeviceResolver, DriveFile } from "../resolve/resolve.ts";

/** Members that a caller may leave open. */
type Open<Members> = { readonly [Name in keyof Members]?: Members[Name] | undefined };

/** What a caller says of a host device that it registers. */
export interface RegisterRequest {
  readonly info: DeviceInfo;
  readonly sandbox: string;
  /** What it is, where its numbers do not say so. */
  readonly kind?: HostDeviceKind | undefined;
  readonly block?:
    | Open<Pick<BlockDrive, "format" | "shareRw" | "readOnly" | "cacheType">>
    | undefined;
  readonly vhostUser?: Omit<VhostUserDevice, "devId" | "pciAddr" | "index"> | undefined;
  readonly rng?: Omit<RngDevice, "id"> | undefined;
  readonly sharedFolder?:
    | Pick<SharedFolder, "source" | "tag"> & Open<Pick<SharedFolder, "readOnly">> & {
      readonly type: SharedFolderType;
    }
    | undefined;
}

/** A device that was looked up and has no id, sandbox or holders yet. */
type Draft = Omit<HostDevice, "id" | "sandbox" | "createdNs" | "holders" | "vfio">;

const VHOST_USER_PREFIX: Readonly<Record<VhostUserType, string>> = {
  "vhost-user-blk-pci": "blk",
  "vhost-user-scsi-pci": "scsi",
  "virtio-net-pci": "net",
  "vhost-user-fs-pci": "fs",
};

/**
 * Finds out what is to be registered (as Kata's NewDevice does before it looks for a known device).
 *
 * @param id The id that the device gets if it is new
 * @throws {Fault} as {@linkcode DeviceResolver.resolve}; `value-not-allowed` when the members do
 * not fit together
 */
export async function draftOf(
  request: RegisterRequest,
  id: string,
  resolver: DeviceResolver,
): Promise<Draft> {
  return await located(await placedDraft(request, id, resolver), resolver);
}

async function placedDraft(
  request: RegisterRequest,
  id: string,
  resolver: DeviceResolver,
): Promise<Draft> {
  const { vhostUser, rng, sharedFolder } = request;
  requireOnePart(request);
  if (vhostUser !== undefined) {
    const { type, socketPath } = vhostUser;
    const devId = hypervisorId(VHOST_USER_PREFIX[type], id);
    return draftAt(request, type, socketPath, `asked for as ${type} behind a socket`, {
      vhostUser: { ...vhostUser, devId },
    });
  }
  if (rng !== undefined) {
    const { filename } = rng;
    return draftAt(request, "rng", filename, "asked for as a source of randomness", {
      rng: { id: hypervisorId("rng", id), filename },
    });
  }
  if (sharedFolder !== undefined) {
    const { type, source, tag, readOnly = false } = sharedFolder;
    return draftAt(request, type, source, `asked for as a shared folder over ${type}`, {
      sharedFolder: { id: hypervisorId("share", id), source, tag, readOnly },
    });
  }
  return await numberedDraft(request, id, resolver);
}

/** A device that is known by its path alone. */
function draftAt(
  { kind: requested, info }: RegisterRequest,
  kind: HostDeviceKind,
  hostPath: string,
  why: string,
  part: Pick<Draft, "vhostUser" | "rng" | "sharedFolder">,
): Draft {
  if (requested !== undefined && requested !== kind) {
    throw notAllowed(`kind "${requested}"`, `it is ${kind}`);
  }
  return { kind, info: { ...info, hostPath }, why, ...part };
}

/** A device that is known by its numbers. */
async function numberedDraft(
  request: RegisterRequest,
  id: string,
  resolver: DeviceResolver,
): Promise<Draft> {
  const { hostPath } = await resolver.resolve(request.info);
  const { driver: kind, why } = chosen(request, driverOf(request.info, hostPath));
  const info = { ...request.info, hostPath };
  if (isNumbered({ info })) await resolver.requireNode(info, hostPath);
  if (kind === "vfio" && !VFIO_GROUP.test(hostPath)) {
    throw notAllowed(
      `path ${hostPath}`,
      "it is no IOMMU group: give /dev/vfio/NUMBER (devices of iommufd and groups without an " +
        "IOMMU are not supported)",
    );
  }
  if (kind !== "block" && request.block !== undefined) {
    throw notAllowed("block", `the device is of kind ${kind}`);
  }
  if (kind === "block") {
    const drive = blockDriver(info);
    const file = await resolver.driveFile(info, hostPath);
    if (file.isReadOnly === true && request.block?.readOnly === false) {
      throw notAllowed("readOnly false", `the host has ${hostPath} read-only`);
    }
    const block = driveOf(request, info, drive.driver, id, file);
    const access = file.isReadOnly === true ? "; read-only, as the host has it" : "";
    return { kind, info, why: `${why}; ${drive.why}${access}`, block };
  }
  if (kind === "vhost-user-blk-pci" || kind === "vhost-user-scsi-pci") {
    const devId = hypervisorId(VHOST_USER_PREFIX[kind], id);
    return { kind, info, why, vhostUser: { devId, socketPath: hostPath, type: kind } };
  }
  return { kind, info, why };
}

const VFIO_GROUP = /\/vfio\/[0-9]+$/;

/** What Kata assumes when it does not know the file system of persistent memory. */
const PMEM_FORMAT = "ext4";

function driveOf(
  { block = {} }: RegisterRequest,
  info: Draft["info"],
  driver: BlockDriver,
  id: string,
  { isDevice, sizeBytes, isReadOnly = false }: DriveFile,
): BlockDrive {
  const pmem = info.pmem ?? false;
  return {
    driver,
    file: info.hostPath,
    format: block.format ?? info.driverOptions?.["fstype"] ?? (pmem ? PMEM_FORMAT : "raw"),
    id: hypervisorId("drive", id),
    shareRw: block.shareRw ?? false,
    readOnly: block.readOnly ?? isReadOnly,
    pmem,
    ...(block.cacheType === undefined ? {} : { cacheType: block.cacheType }),
    isDevice,
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
  };
}

/**
 * A caller may register any device as generic, and a device with a vhost-user major as a plain
 * block device.
 */
function chosen({ kind, info }: RegisterRequest, found: DriverChoice): DriverChoice {
  if (kind === undefined || kind === found.driver) return found;
  const isReserved = VHOST_USER_DRIVERS.get(info.major) === found.driver;
  if (kind === "generic" || (kind === "block" && isReserved)) {
    return { driver: kind, why: `asked for as ${kind}` };
  }
  throw notAllowed(`kind "${kind}"`, `by its numbers and path the device is ${found.driver}`);
}

/** As Kata's manager does, takes virtio-scsi for a name that it does not know. */
function blockDriver(info: DeviceInfo): { driver: BlockDriver; why: string } {
  if (info.pmem === true) return { driver: "nvdimm", why: "persistent memory is an nvdimm" };
  const requested = info.driverOptions?.["block-driver"];
  if (requested === undefined) return { driver: "virtio-scsi", why: "virtio-scsi by default" };
  const driver = BLOCK_DRIVERS.find((known) => known === requested);
  if (driver !== undefined) return { driver, why: `driver option block-driver is ${driver}` };
  return { driver: "virtio-scsi", why: `virtio-scsi, as block-driver "${requested}" is unknown` };
}

function requireOnePart({ block, vhostUser, rng, sharedFolder }: RegisterRequest): void {
  const parts = Object.entries({ block, vhostUser, rng, sharedFolder })
    .filter(([, part]) => part !== undefined).map(([name]) => name);
  if (parts.length > 1) throw notAllowed(parts.join(" and "), "a device is only one of them");
}

function notAllowed(what: string, why: string): Fault {
  return new Fault("value-not-allowed", `Cannot register the device with ${what}: ${why}`);
}

/**
 * Requires that a device which the sandbox has already is the requested one. What the caller leaves
 * open may be anything.
 *
 * @throws {Fault} `device-differs`
 */
export function requireSame(request: RegisterRequest, draft: Draft, known: HostDevice): void {
  const differs = (what: string, is: unknown, requested: unknown): void => {
    if (requested === undefined || requested === is) return;
    throw new Fault(
      "device-differs",
      `Cannot register ${draft.info.hostPath} with ${what} ${requested}: sandbox ` +
        `"${known.sandbox}" has it as ${known.id} with ${what} ${is}`,
      { members: { device: known.id } },
    );
  };
  if (draft.info.hostPath === known.info.hostPath && !isBehindPath(draft)) {
    const numbers = ({ major, minor }: DeviceInfo): string => `${major}:${minor}`;
    differs("numbers", numbers(known.info), numbers(draft.info));
  }
  differs("pmem", known.info.pmem ?? false, request.info.pmem);
  for (const name of ["format", "shareRw", "readOnly"] as const) {
    differs(name, known.block?.[name], request.block?.[name]);
  }
  differs("cacheType", known.block?.cacheType ?? "writeback", request.block?.cacheType);
  if (request.info.driverOptions?.["block-driver"] !== undefined) {
    differs("driver", known.block?.driver, draft.block?.driver);
  }
  for (const name of ["macAddress", "tag", "cache", "cacheSize"] as const) {
    differs(name, known.vhostUser?.[name], request.vhostUser?.[name]);
  }
  for (const name of ["tag", "readOnly"] as const) {
    differs(name, known.sharedFolder?.[name], request.sharedFolder?.[name]);
  }
}

/** Sockets and files are known by their paths, since their numbers say nothing. */
function isBehindPath({ vhostUser, rng, sharedFolder, info }: Draft): boolean {
  return vhostUser !== undefined || rng !== undefined || sharedFolder !== undefined ||
    info.pmem === true;
}
