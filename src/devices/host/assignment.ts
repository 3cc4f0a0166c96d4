import { Fault } from "../../core/faults.ts";
import { BLOCK_INDEX_MAX, ROOT_PORTS_MAX } from "../../core/limits.ts";
import { hypervisorId, scsiAddress, virtPath } from "./guest_names.ts";
import type { HostBook } from "./host_book.ts";
import type { HostDevice, VfioDevice } from "./host_device.ts";
import type { VfioGroups } from "../resolve/vfio.ts";

/** Drivers of a vhost-user block device for which Kata takes a block index. */
const INDEXED = new Set(["virtio-blk", "virtio-blk-ccw", "virtio-mmio"]);

/** What drives and vhost-user devices have only while somebody holds them. */
const ASSIGNED: ReadonlySet<string> = new Set([
  ...["index", "scsiAddr", "virtPath"],
  ...["mmioAddr", "pciAddr", "nvdimmId", "devNo"],
]);

/**
 * Gives a device the numbers and names that its first holder makes necessary (as Kata's drivers do
 * in Attach). They count as taken only when the result is put into the book.
 *
 * @throws {Fault} `block-indexes-exhausted`, `root-ports-exhausted`, and as
 * {@linkcode VfioGroups.devices}
 */
export async function assigned(
  device: HostDevice,
  book: HostBook,
  groups: VfioGroups,
): Promise<HostDevice> {
  const { kind, block, vhostUser, sandbox, info } = device;
  if (block !== undefined) {
    const index = freeIndex(book, sandbox);
    const path = virtPath(block.driver, index);
    return {
      ...device,
      block: {
        ...block,
        index,
        ...(block.driver === "virtio-scsi" ? { scsiAddr: scsiAddress(index) } : {}),
        ...(path === undefined ? {} : { virtPath: path }),
      },
    };
  }
  const driver = info.driverOptions?.["block-driver"] ?? "";
  if (vhostUser?.type === "vhost-user-blk-pci" && INDEXED.has(driver)) {
    return { ...device, vhostUser: { ...vhostUser, index: freeIndex(book, sandbox) } };
  }
  if (kind === "vfio") return { ...device, vfio: await plugged(device, book, groups) };
  return device;
}

async function plugged(
  { id, sandbox, info }: HostDevice,
  book: HostBook,
  groups: VfioGroups,
): Promise<VfioDevice[]> {
  const found = await groups.devices(info.hostPath);
  const ports = book.freePorts(sandbox, found.filter(({ isPcie }) => isPcie).length);
  if (ports === undefined) {
    throw new Fault(
      "root-ports-exhausted",
      `Cannot attach device ${id}: sandbox "${sandbox}" has ${ROOT_PORTS_MAX} root ports and ` +
        "too few are free: detach another device",
    );
  }
  let next = 0;
  return found.map((device, i) => ({
    ...device,
    id: hypervisorId("vfio", id, String(i)),
    bus: device.isPcie ? `rp${ports[next++]}` : "",
  }));
}

function freeIndex(book: HostBook, sandbox: string): number {
  const index = book.freeIndex(sandbox);
  if (index !== undefined) return index;
  throw new Fault(
    "block-indexes-exhausted",
    `Cannot attach another block device: sandbox "${sandbox}" uses every index up to ` +
      `${BLOCK_INDEX_MAX}: detach one`,
  );
}

/** Whether a device has anything that {@linkcode unassigned} removes. */
export function isAssigned({ vfio, block, vhostUser }: HostDevice): boolean {
  return vfio !== undefined ||
    Object.entries({ ...block, ...vhostUser })
      .some(([name, value]) => ASSIGNED.has(name) && value !== undefined);
}

/** Removes what {@linkcode assigned} gave a device and what a hypervisor has reported of it. */
export function unassigned({ vfio: _, block, vhostUser, ...rest }: HostDevice): HostDevice {
  return {
    ...rest,
    ...(block === undefined ? {} : { block: withoutAssigned(block) }),
    ...(vhostUser === undefined ? {} : { vhostUser: withoutAssigned(vhostUser) }),
  };
}

function withoutAssigned<Part extends object>(part: Part): Part {
  const rest = Object.entries(part).filter(([name]) => !ASSIGNED.has(name));
  return Object.fromEntries(rest) as Part;
}
