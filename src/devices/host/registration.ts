import { Fault } from "../../core/faults.ts";
import {
  type DeviceInfo,
  type DriverChoice,
  driverOf,
  VHOST_USER_DRIVERS,
} from "../resolve/device_info.ts";
import { hypervisorId } from "./guest_names.ts";
import type { BlockDrive, HostDevice } from "./host_device.ts";
import {
  BLOCK_DRIVERS,
  type BlockDriver,
  type HostDeviceKind,
  type SharedFolderType,
  type VhostUserType,
} from "../resolve/device_kinds.ts";
import type { DeviceResolver, DriveFile } from "../resolve/resolve.ts";

/** What a caller asks for when it registers a host device. */
export interface RegisterAsk {
  readonly info: DeviceInfo;
  readonly sandbox: string;
  /** What it is, where its numbers do not tell it. */
  readonly kind?: HostDeviceKind | undefined;
  readonly block?: {
    readonly format?: string | undefined;
    readonly shareRw?: boolean | undefined;
    readonly readOnly?: boolean | undefined;
  } | undefined;
  readonly vhostUser?: {
    readonly type: VhostUserType;
    readonly socketPath: string;
    readonly macAddress?: string | undefined;
    readonly tag?: string | undefined;
    readonly cache?: string | undefined;
    readonly cacheSize?: number | undefined;
  } | undefined;
  readonly rng?: { readonly filename: string } | undefined;
  readonly sharedFolder?: {
    readonly type: SharedFolderType;
    readonly source: string;
    readonly tag: string;
    readonly readOnly?: boolean | undefined;
  } | undefined;
}

/** A device that was looked up and has no id, sandbox or holders yet. */
type Draft = Omit<HostDevice, "id" | "sandbox" | "createdNs" | "holders" | "vfio">;

/**
 * Finds out what is asked for (Kata's NewDevice before it looks for one that is known).
 *
 * @param id The id that the device gets if it is new
 * @throws {Fault} as {@linkcode DeviceResolver.resolve}; `value-not-allowed` when the members do
 * not fit together
 */
export async function draftOf(
  ask: RegisterAsk,
  id: string,
  resolver: DeviceResolver,
): Promise<Draft> {
  const { info, vhostUser, rng, sharedFolder } = ask;
  requireOnePart(ask);
  if (vhostUser !== undefined) {
    const { type, socketPath } = vhostUser;
    requireKind(ask.kind, type);
    return {
      kind: type,
      info: { ...info, hostPath: socketPath },
      why: `asked for as ${type} behind a socket`,
      vhostUser: { ...vhostUser, devId: hypervisorId(VHOST_USER_PREFIX[type], id) },
    };
  }
  if (rng !== undefined) {
    requireKind(ask.kind, "rng");
    return {
      kind: "rng",
      info: { ...info, hostPath: rng.filename },
      why: "asked for as a source of randomness",
      rng: { id: hypervisorId("rng", id), filename: rng.filename },
    };
  }
  if (sharedFolder !== undefined) {
    const { type, source, tag, readOnly = false } = sharedFolder;
    requireKind(ask.kind, type);
    return {
      kind: type,
      info: { ...info, hostPath: source },
      why: `asked for as a shared folder over ${type}`,
      sharedFolder: { id: hypervisorId("share", id), source, tag, readOnly },
    };
  }
  return await numberedDraft(ask, id, resolver);
}

const VHOST_USER_PREFIX: Readonly<Record<VhostUserType, string>> = {
  "vhost-user-blk-pci": "blk",
  "vhost-user-scsi-pci": "scsi",
  "virtio-net-pci": "net",
  "vhost-user-fs-pci": "fs",
};

/** A device that is known by its numbers alone. */
async function numberedDraft(
  ask: RegisterAsk,
  id: string,
  resolver: DeviceResolver,
): Promise<Draft> {
  const { hostPath } = await resolver.resolve(ask.info);
  const { driver: kind, why } = chosen(ask, driverOf(ask.info, hostPath));
  const info = { ...ask.info, hostPath };
  if (kind !== "block" && ask.block !== undefined) {
    throw notAllowed("block", `the device is of kind ${kind}`);
  }
  if (kind === "block") {
    const drive = blockDriver(info);
    const file = await resolver.driveFile(info, hostPath);
    const block = driveOf(ask, info, drive.driver, id, file);
    return { kind, info, why: `${why}; ${drive.why}`, block };
  }
  if (kind === "vhost-user-blk-pci" || kind === "vhost-user-scsi-pci") {
    const devId = hypervisorId(VHOST_USER_PREFIX[kind], id);
    return { kind, info, why, vhostUser: { devId, socketPath: hostPath, type: kind } };
  }
  return { kind, info, why };
}

function driveOf(
  { block = {} }: RegisterAsk,
  info: Draft["info"],
  driver: BlockDriver,
  id: string,
  { isDevice, sizeBytes }: DriveFile,
): BlockDrive {
  const pmem = info.pmem ?? false;
  return {
    driver,
    file: info.hostPath,
    format: block.format ?? info.driverOptions?.["fstype"] ?? (pmem ? PMEM_FORMAT : "raw"),
    id: hypervisorId("drive", id),
    shareRw: block.shareRw ?? false,
    readOnly: block.readOnly ?? false,
    pmem,
    isDevice,
    ...(sizeBytes === undefined ? {} : { sizeBytes }),
  };
}

/** What Kata assumes when it does not know the file system of persistent memory. */
const PMEM_FORMAT = "ext4";

/** A caller may call a device generic, or a block device what its major has reserved. */
function chosen({ kind, info }: RegisterAsk, found: DriverChoice): DriverChoice {
  if (kind === undefined || kind === found.driver) return found;
  const isReserved = VHOST_USER_DRIVERS.get(info.major) === found.driver;
  if (kind === "generic" || (kind === "block" && isReserved)) {
    return { driver: kind, why: `asked for as ${kind}` };
  }
  throw notAllowed(`kind "${kind}"`, `by its numbers and path the device is ${found.driver}`);
}

/** Kata's manager falls back to virtio-scsi for a name that it does not know, and so does this. */
function blockDriver(info: DeviceInfo): { driver: BlockDriver; why: string } {
  if (info.pmem === true) return { driver: "nvdimm", why: "persistent memory is an nvdimm" };
  const requested = info.driverOptions?.["block-driver"];
  if (requested === undefined) return { driver: "virtio-scsi", why: "virtio-scsi by default" };
  const driver = BLOCK_DRIVERS.find((known) => known === requested);
  if (driver !== undefined) return { driver, why: `driver option block-driver is ${driver}` };
  return { driver: "virtio-scsi", why: `virtio-scsi, as block-driver "${requested}" is unknown` };
}

function requireOnePart({ block, vhostUser, rng, sharedFolder }: RegisterAsk): void {
  const parts = Object.entries({ block, vhostUser, rng, sharedFolder })
    .filter(([, part]) => part !== undefined).map(([name]) => name);
  if (parts.length > 1) throw notAllowed(parts.join(" and "), "a device is only one of them");
}

function requireKind(asked: HostDeviceKind | undefined, is: HostDeviceKind): void {
  if (asked !== undefined && asked !== is) throw notAllowed(`kind "${asked}"`, `it is ${is}`);
}

function notAllowed(what: string, why: string): Fault {
  return new Fault("value-not-allowed", `Cannot register the device with ${what}: ${why}`);
}

/**
 * Whether a device that the sandbox has already is what is asked for. What the caller leaves open
 * is as it is.
 *
 * @throws {Fault} `device-differs`
 */
export function requireSame(ask: RegisterAsk, draft: Draft, known: HostDevice): void {
  const differs = (what: string, is: unknown, asked: unknown): void => {
    if (asked === undefined || asked === is) return;
    throw new Fault(
      "device-differs",
      `Cannot register ${draft.info.hostPath} with ${what} ${asked}: sandbox ` +
        `"${known.sandbox}" has it as ${known.id} with ${what} ${is}`,
      { members: { device: known.id } },
    );
  };
  const isNumbered = draft.info.hostPath === known.info.hostPath && !isBehindPath(draft);
  if (isNumbered) {
    const numbers = ({ major, minor }: DeviceInfo): string => `${major}:${minor}`;
    differs("numbers", numbers(known.info), numbers(draft.info));
  }
  for (const name of ["format", "shareRw", "readOnly"] as const) {
    differs(name, known.block?.[name], ask.block?.[name]);
  }
  if (ask.info.driverOptions?.["block-driver"] !== undefined) {
    differs("driver", known.block?.driver, draft.block?.driver);
  }
  for (const name of ["macAddress", "tag", "cache", "cacheSize"] as const) {
    differs(name, known.vhostUser?.[name], ask.vhostUser?.[name]);
  }
  for (const name of ["tag", "readOnly"] as const) {
    differs(name, known.sharedFolder?.[name], ask.sharedFolder?.[name]);
  }
}

/** Sockets and files are known by their paths: their numbers say nothing. */
function isBehindPath({ vhostUser, rng, sharedFolder, info }: Draft): boolean {
  return vhostUser !== undefined || rng !== undefined || sharedFolder !== undefined ||
    info.pmem === true;
}
