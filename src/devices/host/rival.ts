import { Fault } from "../../core/faults.ts";
import type { DeviceResolver } from "../resolve/resolve.ts";
import type { HostBook } from "./host_book.ts";
import { type HostDevice, isNumbered } from "./host_device.ts";

/** What tells where a device is. */
type Placed = Pick<HostDevice, "info" | "storage" | "vhostUser" | "rng" | "sharedFolder">;

/**
 * A device with the storage that it is on now.
 *
 * @throws {Fault} `device-unreadable`
 */
export async function located<Device extends Placed>(
  device: Device,
  { storage: graph }: DeviceResolver,
): Promise<Device> {
  const { info } = device;
  const isBlock = info.type === "b" && isNumbered(device);
  const storage = await graph.of(info.hostPath, isBlock ? info : undefined);
  if (storage !== undefined) return { ...device, storage };
  return device.storage === undefined ? device : { ...device, storage: undefined };
}

/** The same for a device that must be kept, even where the host does not let us look. */
export async function locatedIfKnown(
  device: HostDevice,
  resolver: DeviceResolver,
): Promise<HostDevice> {
  try {
    return await located(device, resolver);
  } catch (error) {
    if (error instanceof Fault) return device;
    throw error;
  }
}

/**
 * A device shared by several sandboxes cannot be changed through one of them.
 *
 * @param what What was asked for, as a verb
 * @throws {Fault} `device-in-use`, which names both devices
 */
export function requireNoRival(device: HostDevice, book: HostBook, what: string): void {
  const rival = book.rivalOf(device);
  if (rival === undefined) return;
  const { info, kind, sandbox } = device;
  const refused = `Cannot ${what} ${info.hostPath} as ${kind} for sandbox "${sandbox}"`;
  const other = rival.info.hostPath;
  const has = other === info.hostPath ? "it" : `${other}, which is on the same storage,`;
  throw new Fault(
    "device-in-use",
    `${refused}: sandbox "${rival.sandbox}" has ${has} as ${rival.kind} and not both are ` +
      "read-only or share it: delete it there first",
    {
      members: { sandbox: rival.sandbox, device: rival.id },
      names: {
        of: { kind: "sandboxes", name: rival.sandbox },
        otherwise: `${refused}: another sandbox has it, and not both are read-only or share it`,
      },
    },
  );
}
