import type { EventSink } from "../../src/core/ports/events.ts";
import type { Ledger } from "../../src/core/ports/ledger.ts";
import {
  type AnonymousBounds,
  AnonymousDevices,
} from "../../src/devices/anonymous/anonymous_devices.ts";
import { DeviceRegistry } from "../../src/devices/registry.ts";
import { HOST_ROOTS, type HostRoots } from "../../src/devices/resolve/host_roots.ts";
import { DeviceResolver } from "../../src/devices/resolve/resolve.ts";
import { FakeClock } from "./clock.ts";
import { CollectedEvents } from "./events.ts";
import { MemoryHostTree } from "./host_tree.ts";
import { MemoryLedger } from "./ledger.ts";
import { SeededRandom } from "./random.ts";

/** Anonymous devices on a ledger. */
export function openAnonymous(
  ledger: Ledger,
  bounds?: AnonymousBounds,
  events: EventSink = new CollectedEvents(),
): Promise<AnonymousDevices> {
  return AnonymousDevices.open({ ledger, events }, bounds);
}

/** A device registry on fakes. It can be opened again, as after a restart. */
export class DevicesBench {
  readonly ledger = new MemoryLedger();
  readonly events = new CollectedEvents();
  readonly clock = new FakeClock();
  readonly hostTree = new MemoryHostTree();
  readonly random: SeededRandom;
  readonly resolver: DeviceResolver;

  constructor({ seed = 7, roots = {} }: { seed?: number; roots?: Partial<HostRoots> } = {}) {
    this.random = new SeededRandom(seed);
    this.resolver = new DeviceResolver(this, { ...HOST_ROOTS, ...roots });
  }

  /** The registry as a daemon that starts finds it. */
  open(bounds?: AnonymousBounds): Promise<DeviceRegistry> {
    return DeviceRegistry.open(this, bounds);
  }

  /** Puts a block device into the host's tree. */
  async disk(name: string, major: number, minor: number, sectors = 2048): Promise<void> {
    const folder = `/sys/dev/block/${major}:${minor}`;
    await this.hostTree.file(`${folder}/uevent`, `MAJOR=${major}\nDEVNAME=${name}\n`);
    await this.hostTree.file(`${folder}/size`, `${sectors}\n`);
    await this.hostTree.device(`/dev/${name}`, "block", major, minor);
  }

  /** Puts an IOMMU group into the host's tree. */
  async group(
    group: number,
    devices: readonly {
      bdf: string;
      class?: string;
      pcie?: boolean;
      resource?: string;
    }[],
  ): Promise<void> {
    await this.hostTree.file(`/sys/dev/char/240:${group}/uevent`, `DEVNAME=vfio/${group}\n`);
    await this.hostTree.directory(`/sys/kernel/iommu_groups/${group}/devices`);
    for (const { bdf, class: code = "0x020000", pcie = true, resource = "" } of devices) {
      const sysfsDev = `/sys/bus/pci/devices/${bdf}`;
      await this.hostTree.file(`${sysfsDev}/config`, new Uint8Array(pcie ? 4096 : 256));
      await this.hostTree.file(`${sysfsDev}/class`, `${code}\n`);
      await this.hostTree.file(`${sysfsDev}/vendor`, "0x15b3\n");
      await this.hostTree.file(`${sysfsDev}/device`, "0x1017\n");
      await this.hostTree.file(`${sysfsDev}/resource`, resource);
      await this.hostTree.link(
        `/sys/kernel/iommu_groups/${group}/devices/${bdf}`,
        `../../../../bus/pci/devices/${bdf}`,
      );
    }
  }
}
