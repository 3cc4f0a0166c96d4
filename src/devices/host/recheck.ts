import { Fault } from "../../core/faults.ts";
import type { DeviceResolver } from "../resolve/resolve.ts";
import type { Storage } from "../resolve/storage.ts";
import { type BlockDrive, type HostDevice, isNumbered } from "./host_device.ts";
import { located } from "./rival.ts";

/**
 * A device as the host has it now (docs/devices.md#recheck), with its present size.
 *
 * @throws {Fault} `no-such-device` when it is gone, `device-differs` when something else is at its
 * place, with what has changed; `device-unreadable`
 */
export async function rechecked(
  device: HostDevice,
  resolver: DeviceResolver,
): Promise<HostDevice> {
  const { info } = device;
  if (isNumbered(device)) {
    const { hostPath } = await resolver.resolve(info);
    if (hostPath !== info.hostPath) {
      // Without an entry in sysfs the path of the container is all that is left.
      if (hostPath === info.containerPath) throw gone(device);
      throw changed(device, "path", info.hostPath, hostPath);
    }
    await resolver.requireNode(info, hostPath);
  }
  const now = await located(device, resolver);
  requireSameStorage(device, now.storage);
  if (device.block === undefined) return now;
  return { ...now, block: await presentDrive(device, device.block, resolver) };
}

function requireSameStorage(device: HostDevice, now: Storage | undefined): void {
  const was = device.storage;
  if (was === undefined) return;
  if (now === undefined) throw gone(device);
  const names = ({ self }: Storage) => self.join(", ");
  if (names(was) !== names(now)) throw changed(device, "storage", names(was), names(now));
  // Rows of older versions have none.
  if (was.diskseq !== undefined && was.diskseq !== now.diskseq) {
    throw changed(device, "diskseq", was.diskseq, now.diskseq ?? "none");
  }
}

async function presentDrive(
  device: HostDevice,
  drive: BlockDrive,
  resolver: DeviceResolver,
): Promise<BlockDrive> {
  const { isDevice, sizeBytes, isReadOnly } = await resolver.driveFile(device.info, drive.file);
  if (isReadOnly === true && !drive.readOnly) {
    throw changed(device, "access", "read-write", "read-only");
  }
  const { sizeBytes: _, ...rest } = drive;
  return { ...rest, isDevice, ...(sizeBytes === undefined ? {} : { sizeBytes }) };
}

function gone({ id, info }: HostDevice): Fault {
  return new Fault(
    "no-such-device",
    `Cannot use device ${id}: the host has ${info.hostPath} no longer: delete it`,
  );
}

function changed({ id, info }: HostDevice, what: string, was: string, is: string): Fault {
  return new Fault(
    "device-differs",
    `Cannot use device ${id}: ${info.hostPath} is not what was registered: its ${what} was ${was} ` +
      `and is ${is}: delete it and register it again`,
    { members: { device: id, changed: what } },
  );
}
