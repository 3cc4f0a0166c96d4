import { Fault } from "../../core/faults.ts";
import type { HostTree } from "../../core/ports/host_tree.ts";
import { SystemError } from "../../core/system_error.ts";
import { type DeviceInfo, driverOf, VHOST_USER_DRIVERS } from "./device_info.ts";
import type { DeviceDriver } from "./device_kinds.ts";
import { HOST_ROOTS, type HostRoots } from "./host_roots.ts";
import { cleanPath } from "./paths.ts";
import { StorageGraph } from "./storage.ts";
import { parseUevent } from "./uevent.ts";
import { isMissing, missingOrUnreadable, unreadable } from "./unreadable.ts";
import { VfioGroups } from "./vfio.ts";

/** What a kernel writes at the head of a file that is made for persistent memory. */
const PMEM_MARK = "NVDIMM_PFN_INFO";
const PMEM_MARK_AT = 4096;
const SECTOR_BYTES = 512n;

/** What a device is on the host. */
export interface ResolvedDevice {
  readonly driver: DeviceDriver;
  readonly hostPath: string;
  /** The file behind a loop device. */
  readonly backingFile: string | undefined;
  /** Every path of the host that was read for this answer. */
  readonly evidence: readonly string[];
}

/** What a hypervisor must know of the file behind a drive. */
export interface DriveFile {
  /** Whether it is a device, and not a regular file. */
  readonly isDevice: boolean;
  /** `undefined` where the host does not say. */
  readonly sizeBytes: bigint | undefined;
  /** Set where the host lets nobody write to it. */
  readonly isReadOnly?: boolean;
}

/** Finds the devices of the host by their numbers. It changes nothing (docs/devices.md#5). */
export class DeviceResolver {
  /** Looks into IOMMU groups. */
  readonly vfio: VfioGroups;
  /** Looks for the storage behind a path. */
  readonly storage: StorageGraph;
  readonly #tree: HostTree;
  readonly #roots: HostRoots;

  constructor({ hostTree }: { readonly hostTree: HostTree }, roots: HostRoots = HOST_ROOTS) {
    this.#tree = hostTree;
    this.#roots = {
      sysDev: cleanPath(roots.sysDev),
      dev: cleanPath(roots.dev),
      vhostStore: roots.vhostStore === undefined ? undefined : cleanPath(roots.vhostStore),
      iommuGroups: cleanPath(roots.iommuGroups),
      pciDevices: cleanPath(roots.pciDevices),
      pciSlots: cleanPath(roots.pciSlots),
    };
    this.vfio = new VfioGroups(hostTree, this.#roots);
    this.storage = new StorageGraph(hostTree, this.#roots);
  }

  /**
   * Finds the path on the host, the driver and the backing file of a device.
   *
   * Persistent memory has the host path that is given; without one it has its backing file. That
   * file must be made for persistent memory (Kata's PmemDeviceInfo).
   *
   * @throws {Fault} `value-not-allowed` for an empty container path, `no-such-device` when the
   * vhost-user store does not have it or persistent memory has no backing file,
   * `device-path-escapes`, `device-unreadable`, `not-persistent-memory`
   */
  async resolve(info: DeviceInfo): Promise<ResolvedDevice> {
    if (info.containerPath === "") {
      throw new Fault("value-not-allowed", "Cannot resolve a device: its container path is empty");
    }
    const evidence: string[] = [];
    const pmem = info.pmem === true;
    const path = pmem ? info.hostPath : await this.#hostPath(info, evidence);
    const backingFile = await this.#backingFile(info, evidence, pmem && !path);
    const hostPath = path || backingFile || "";
    if (pmem) await this.#requirePmem(hostPath, backingFile, evidence);
    const { driver } = driverOf(info, hostPath);
    return { driver, hostPath, backingFile, evidence };
  }

  /**
   * Looks at the file behind a drive. If the host does not let us look, the path must do; but
   * whether a device can be written to must be known.
   *
   * @throws {Fault} `device-unreadable`
   */
  async driveFile(info: DeviceInfo, path: string): Promise<DriveFile> {
    try {
      const { kind, sizeBytes } = await this.#tree.stat(path);
      if (kind === "file") return { isDevice: false, sizeBytes };
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      if (!path.startsWith(`${this.#roots.dev}/`)) {
        return { isDevice: false, sizeBytes: undefined };
      }
    }
    const folder = this.#sysDevPath(info);
    const text = folder && await this.#read(`${folder}/size`, []).catch(() => undefined);
    const sectors = /^[0-9]{1,18}$/.exec(text?.trim() ?? "")?.[0];
    const sizeBytes = sectors === undefined ? undefined : BigInt(sectors) * SECTOR_BYTES;
    const access = await this.#isReadOnly(folder) ? { isReadOnly: true } : {};
    return { isDevice: true, sizeBytes, ...access };
  }

  /** The kernel refuses to open a read-only device for writing. */
  async #isReadOnly(folder: string | undefined): Promise<boolean> {
    const path = `${folder}/ro`;
    const text = folder && (await this.#read(path, []))?.trim();
    if (text === undefined || text === "0") return false;
    if (text === "1") return true;
    throw unreadable(path, `it must be 0 or 1: received ${JSON.stringify(text.slice(0, 20))}`);
  }

  /**
   * Requires that the node at a path is the device that has these numbers. One that is not there may
   * be hidden from us.
   *
   * @throws {Fault} `device-differs`
   */
  async requireNode(info: DeviceInfo, path: string): Promise<void> {
    const node = await this.#tree.stat(path).catch((error) => {
      if (error instanceof SystemError) return undefined;
      throw error;
    });
    if (node === undefined || info.type === "p") return;
    // The store has a socket in place of such a device.
    if (node.kind === "socket" && VHOST_USER_DRIVERS.has(info.major)) return;
    const { kind, rdevMajor, rdevMinor } = node;
    const isSame = kind === (info.type === "b" ? "block" : "char") &&
      BigInt(rdevMajor) === info.major && BigInt(rdevMinor) === info.minor;
    if (isSame) return;
    const is = kind === "block" || kind === "char" ? `${kind} ${rdevMajor}:${rdevMinor}` : kind;
    throw new Fault(
      "device-differs",
      `Cannot use ${path} as ${
        show(info)
      }: on the host it is ${is}: give the path and the numbers ` +
        "of one device, or numbers 0:0 for what is known by its path",
    );
  }

  /** Kata's GetHostPath. */
  async #hostPath(info: DeviceInfo, evidence: string[]): Promise<string> {
    const store = this.#roots.vhostStore;
    if (store !== undefined && info.type === "b" && VHOST_USER_DRIVERS.has(info.major)) {
      return await this.#vhostUserSocket(info, store, evidence);
    }
    const folder = this.#sysDevPath(info);
    if (folder === undefined) return info.containerPath;
    const path = `${folder}/uevent`;
    const text = await this.#read(path, evidence);
    // Not every device is in sysfs (Kata names fuse and cuse): those have their container path.
    return text === undefined ? info.containerPath : this.#deviceFile(path, text);
  }

  #deviceFile(path: string, uevent: string): string {
    const name = deviceName(path, uevent);
    const file = cleanPath(`${this.#roots.dev}/${name}`);
    if (!file.startsWith(`${this.#roots.dev}/`)) {
      throw new Fault(
        "device-path-escapes",
        `Cannot resolve the device of ${path}: DEVNAME must lead below ${this.#roots.dev}: ` +
          `received ${JSON.stringify(name.slice(0, 80))}`,
      );
    }
    return file;
  }

  /** Kata's getBackingFile. */
  async #backingFile(
    info: DeviceInfo,
    evidence: string[],
    required: boolean,
  ): Promise<string | undefined> {
    const folder = info.type === "b" ? this.#sysDevPath(info) : undefined;
    const path = `${folder}/loop/backing_file`;
    const text = folder === undefined ? undefined : await this.#read(path, evidence);
    const file = text?.trim() || undefined;
    if (required && file === undefined) {
      throw new Fault(
        "no-such-device",
        `Cannot find the backing file of ${show(info)}: give its host path`,
      );
    }
    return file;
  }

  /**
   * Reading the mark from a block device would wake the device, so it is read from the file behind
   * the device.
   */
  async #requirePmem(
    hostPath: string,
    backingFile: string | undefined,
    evidence: string[],
  ): Promise<void> {
    let path = hostPath;
    let mark: Uint8Array | undefined;
    try {
      const { kind } = await this.#tree.stat(path);
      if (kind === "block" && backingFile !== undefined) path = backingFile;
      mark = await this.#tree.readAt(path, PMEM_MARK_AT, PMEM_MARK.length);
    } catch (error) {
      throw missingOrUnreadable(path, error, `Cannot find ${path}: it does not exist`);
    }
    evidence.push(path);
    if (new TextDecoder().decode(mark) === PMEM_MARK) return;
    throw new Fault(
      "not-persistent-memory",
      `Cannot use ${path} as persistent memory: it has no ${PMEM_MARK} at byte ${PMEM_MARK_AT}: ` +
        "make it with a tool for NVDIMM images",
    );
  }

  /** Kata's getSysDevPathImpl. A FIFO has no such path, because sysfs does not show FIFOs. */
  #sysDevPath({ type, major, minor }: DeviceInfo): string | undefined {
    if (type === "p") return undefined;
    return `${this.#roots.sysDev}/${type === "b" ? "block" : "char"}/${major}:${minor}`;
  }

  /** Kata's getVhostUserHostPath: the socket is named as the node that has these numbers. */
  async #vhostUserSocket(info: DeviceInfo, store: string, evidence: string[]): Promise<string> {
    const folder = `${store}/block/devices`;
    const name = await this.#vhostUserName(info, folder);
    if (name === undefined) {
      throw new Fault(
        "no-such-device",
        `Cannot find ${show(info)} in the vhost-user store: ${folder} has no such node`,
      );
    }
    const socket = `${store}/block/sockets/${name}`;
    evidence.push(folder, `${folder}/${name}`, socket);
    try {
      await this.#tree.stat(socket);
    } catch (cause) {
      if (!isMissing(cause)) return socket;
      throw new Fault(
        "no-such-device",
        `Cannot use ${show(info)} of the vhost-user store: socket ${socket} does not exist`,
        { cause },
      );
    }
    return socket;
  }

  /** Kata's getVhostUserDevName. A node that cannot be looked at ends the search. */
  async #vhostUserName({ major, minor }: DeviceInfo, folder: string): Promise<string | undefined> {
    let at = folder;
    try {
      for (const name of await this.#tree.list(folder)) {
        at = `${folder}/${name}`;
        const node = await this.#tree.stat(at);
        if (BigInt(node.rdevMajor) === major && BigInt(node.rdevMinor) === minor) return name;
      }
      return undefined;
    } catch (error) {
      if (at === folder && isMissing(error)) return undefined;
      throw unreadable(at, error);
    }
  }

  /** The text of a file, `undefined` when there is none. */
  async #read(path: string, evidence: string[]): Promise<string | undefined> {
    try {
      const bytes = await this.#tree.readFile(path);
      evidence.push(path);
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw unreadable(path, error);
    }
  }
}

function deviceName(path: string, uevent: string): string {
  let name: string | undefined;
  try {
    name = parseUevent(uevent).get("DEVNAME");
  } catch (error) {
    throw unreadable(path, error);
  }
  if (name === undefined) throw unreadable(path, "it has no DEVNAME");
  return name;
}

function show({ type, major, minor }: DeviceInfo): string {
  return `device ${type} ${major}:${minor}`;
}
