import { Fault } from "../../core/faults.ts";
import { SMALL_BAR_BYTES_MAX } from "../../core/limits.ts";
import type { HostTree } from "../../core/ports/host_tree.ts";
import type { VfioDeviceType } from "./device_kinds.ts";
import type { HostRoots } from "./host_roots.ts";
import { cleanPath } from "./paths.ts";
import { isMissing, missingOrUnreadable, unreadable } from "./unreadable.ts";

/** A device of an IOMMU group as the host shows it. */
export interface VfioFinding {
  readonly type: VfioDeviceType;
  readonly isPcie: boolean;
  /** PCI address with its domain. A mediated device has its parent's, or an empty one. */
  readonly bdf: string;
  readonly sysfsDev: string;
  readonly vendorId: string;
  readonly deviceId: string;
  /** PCI class code, such as `0x030000`. */
  readonly class: string;
  /** Whether it has a memory region that does not fit behind a PCI bridge. */
  readonly largeBar: boolean;
}

const BDF = /^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/;
const MEDIATED = /^[^-]+(?:-[^-]+){4}$/;
/** Class codes of host bridges and PCI bridges, which stay with the host. */
const BRIDGE = /^0x06(?:00|04)/;
const CONFIG_BYTES_PCI = 256n;
/** Drivers beside which the kernel gives a group away: those of VFIO, and one that does nothing. */
const VFIO_DRIVER = /vfio|^pci-stub$/;

/** Finds out what is in an IOMMU group, as Kata's VFIO driver does. It changes nothing. */
export class VfioGroups {
  readonly #tree: HostTree;
  readonly #roots: HostRoots;

  constructor(hostTree: HostTree, roots: HostRoots) {
    this.#tree = hostTree;
    this.#roots = roots;
  }

  /**
   * Lists the devices of a group but its bridges, in the order of their names.
   *
   * @param hostPath The group's device file, such as `/dev/vfio/12`
   * @throws {Fault} `no-such-device`, `iommu-group-unusable`, `device-unreadable`
   */
  async devices(hostPath: string): Promise<readonly VfioFinding[]> {
    const group = hostPath.slice(hostPath.lastIndexOf("/") + 1);
    const folder = `${this.#roots.iommuGroups}/${group}/devices`;
    const found: VfioFinding[] = [];
    const inTheWay: string[] = [];
    for (const name of await this.#names(folder, group)) {
      if (BDF.test(name)) {
        const device = await this.#normal(name);
        if (BRIDGE.test(device.class)) continue;
        found.push(device);
        const driver = await this.#driver(device.sysfsDev);
        if (driver !== undefined && !VFIO_DRIVER.test(driver)) inTheWay.push(`${name} (${driver})`);
      } else if (MEDIATED.test(name)) {
        found.push(await this.#mediated(folder, name));
      } else {
        throw new Fault(
          "iommu-group-unusable",
          `Cannot use IOMMU group ${group}: "${name.slice(0, 80)}" is neither a PCI address nor ` +
            "a mediated device",
        );
      }
    }
    if (inTheWay.length > 0) {
      throw new Fault(
        "iommu-group-unusable",
        `Cannot use IOMMU group ${group}: drivers of the host have devices of it: ` +
          `${inTheWay.join(", ")}: bind them to vfio-pci`,
      );
    }
    if (found.length === 0) {
      throw new Fault(
        "iommu-group-unusable",
        `Cannot use IOMMU group ${group}: it has no device but bridges`,
      );
    }
    return found;
  }

  async #names(folder: string, group: string): Promise<readonly string[]> {
    try {
      return await this.#tree.list(folder);
    } catch (error) {
      const missing = `Cannot find IOMMU group ${group}: ${folder} does not exist`;
      throw missingOrUnreadable(folder, error, missing);
    }
  }

  async #normal(bdf: string): Promise<VfioFinding> {
    const sysfsDev = `${this.#roots.pciDevices}/${bdf}`;
    return {
      type: "normal",
      isPcie: await this.#isPcie(bdf, sysfsDev),
      bdf,
      sysfsDev,
      vendorId: await this.#line(`${sysfsDev}/vendor`),
      deviceId: await this.#line(`${sysfsDev}/device`),
      class: await this.#line(`${sysfsDev}/class`),
      largeBar: hasLargeBar(await this.#text(`${sysfsDev}/resource`)),
    };
  }

  /** The driver that has a device, `undefined` when none has. */
  async #driver(sysfsDev: string): Promise<string | undefined> {
    const path = `${sysfsDev}/driver`;
    try {
      const target = await this.#tree.readLink(path);
      return target.slice(target.lastIndexOf("/") + 1);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw unreadable(path, error);
    }
  }

  async #mediated(folder: string, name: string): Promise<VfioFinding> {
    const path = `${folder}/${name}`;
    const target = await this.#tree.readLink(path).catch((error) => {
      throw unreadable(path, error);
    });
    const sysfsDev = cleanPath(target.startsWith("/") ? target : `${folder}/${target}`);
    const parent = sysfsDev.split("/").at(-2) ?? "";
    const bdf = BDF.test(parent) ? parent : "";
    const hidden = { vendorId: "", deviceId: "", class: "", largeBar: false };
    return { type: "mediated", isPcie: false, bdf, sysfsDev, ...hidden };
  }

  /** Only PCI Express has a configuration space above 256 bytes. If it is hidden, ask the slot. */
  async #isPcie(bdf: string, sysfsDev: string): Promise<boolean> {
    const config = await this.#tree.stat(`${sysfsDev}/config`).catch(() => undefined);
    if (config !== undefined && config.sizeBytes > CONFIG_BYTES_PCI) return true;
    const { pciSlots } = this.#roots;
    const address = bdf.slice(0, bdf.indexOf("."));
    for (const slot of await this.#tree.list(pciSlots).catch(() => [])) {
      if (await this.#line(`${pciSlots}/${slot}/address`) !== address) continue;
      if ((await this.#line(`${pciSlots}/${slot}/max_bus_speed`)).includes("PCIe")) return true;
    }
    return false;
  }

  async #line(path: string): Promise<string> {
    return (await this.#text(path)).split("\n")[0]?.trim() ?? "";
  }

  /** As in Kata, a file that cannot be read counts as empty: the device can be used without it. */
  async #text(path: string): Promise<string> {
    const bytes = await this.#tree.readFile(path).catch(() => undefined);
    return bytes === undefined ? "" : new TextDecoder().decode(bytes);
  }
}

/** @param resource Lines of `start end flags`, each in hexadecimal */
function hasLargeBar(resource: string): boolean {
  return resource.split("\n").some((line) => {
    const [, start, end] = /^(0x[0-9a-f]{1,16}) (0x[0-9a-f]{1,16}) /i.exec(line) ?? [];
    if (start === undefined || end === undefined) return false;
    return BigInt(end) - BigInt(start) + 1n > SMALL_BAR_BYTES_MAX;
  });
}
