import { Fault } from "../../core/faults.ts";
import { BLOCK_INDEX_MAX, ROOT_PORTS_MAX } from "../../core/limits.ts";
import { isAssigned } from "./assignment.ts";
import { HostBook } from "./host_book.ts";
import { blockIndexOf, type HostDevice, rootPortsOf } from "./host_device.ts";

/**
 * Makes the book of devices that came from outside.
 *
 * @throws {Fault} `image-contradicts`, `devices-exhausted`
 */
export function rebuildHost(devices: readonly HostDevice[], devicesMax: number): HostBook {
  if (devices.length > devicesMax) {
    throw new Fault(
      "devices-exhausted",
      `Cannot restore the image: it has ${devices.length} host devices and ${devicesMax} are ` +
        "allowed",
    );
  }
  const book = new HostBook();
  for (const device of devices) {
    requireSound(device, book);
    book.put(device);
  }
  return book;
}

function requireSound(device: HostDevice, book: HostBook): void {
  const { id, sandbox, holders } = device;
  const contradict = (what: string): never => {
    throw new Fault("image-contradicts", `Cannot restore the image: host device ${id} ${what}`);
  };
  if (book.get(id) !== undefined) contradict("comes twice");
  const known = book.known(sandbox, device);
  if (known !== undefined) contradict(`is the same as ${known.id}`);
  const rival = book.rivalOf(device);
  if (rival !== undefined) contradict(`is in use by sandbox "${rival.sandbox}" as ${rival.id}`);
  if (new Set(holders.map(({ name }) => name)).size < holders.length) {
    contradict("has a holder twice");
  }
  const index = blockIndexOf(device);
  const isAttached = holders.length > 0;
  if (!isAttached && isAssigned(device)) contradict("has numbers and no holder");
  if (isAttached && device.block !== undefined && index === undefined) {
    contradict("has a holder and no index");
  }
  if (isAttached && device.kind === "vfio" && device.vfio === undefined) {
    contradict("has a holder and no devices");
  }
  if ((index ?? 0) > BLOCK_INDEX_MAX) contradict(`has index ${index}, which is too great`);
  if (rootPortsOf(device).some((port) => !(port < ROOT_PORTS_MAX))) {
    contradict("has a root port that there is not");
  }
  if (!book.hasFree(device)) contradict("has a number of another device");
  requireParts(device, contradict);
}

/** Each kind must have its part, and no other. */
function requireParts(
  { kind, block, vhostUser, rng, sharedFolder, vfio }: HostDevice,
  contradict: (what: string) => never,
): void {
  const wants = {
    block: kind === "block",
    vhostUser: kind.startsWith("vhost-user-") || kind === "virtio-net-pci",
    rng: kind === "rng",
    sharedFolder: kind === "virtio-fs" || kind === "virtio-9p",
  };
  const has = { block, vhostUser, rng, sharedFolder };
  for (const name of ["block", "vhostUser", "rng", "sharedFolder"] as const) {
    if (wants[name] !== (has[name] !== undefined)) contradict(`is of kind ${kind}: ${name}`);
  }
  if (vfio !== undefined && kind !== "vfio") contradict(`is of kind ${kind}: vfio`);
  if (vhostUser !== undefined && vhostUser.type !== kind) contradict(`is of kind ${kind}: type`);
}
