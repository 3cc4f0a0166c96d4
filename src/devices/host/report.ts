import { Fault } from "../../core/faults.ts";
import type { DeviceReport, HostDevice } from "./host_device.ts";

/**
 * The device with what its hypervisor has reported. A report of a device that nobody holds is
 * refused: the next holder would get it, although its hypervisor has yet to plug the device.
 *
 * @throws {Fault} `wrong-device-kind` when such a device has no such address, `device-not-attached`
 */
export function reported(device: HostDevice, report: DeviceReport): HostDevice {
  const changed = withReport(device, report);
  if (device.holders.length > 0) return changed;
  throw new Fault(
    "device-not-attached",
    `Cannot take down a report of device ${device.id}: nobody holds it: attach it first`,
  );
}

function withReport(device: HostDevice, report: DeviceReport): HostDevice {
  const entries = Object.entries(report).filter(([, value]) => value !== undefined);
  const addresses: DeviceReport = Object.fromEntries(entries);
  const { block, vhostUser } = device;
  if (block !== undefined) return { ...device, block: { ...block, ...addresses } };
  const other = Object.keys(addresses).find((name) => name !== "pciAddr");
  if (vhostUser?.type === "vhost-user-blk-pci" && other === undefined) {
    return { ...device, vhostUser: { ...vhostUser, ...addresses } };
  }
  throw new Fault(
    "wrong-device-kind",
    `Cannot take down ${other ?? "pciAddr"} of device ${device.id}: it is of kind ${device.kind}`,
  );
}
