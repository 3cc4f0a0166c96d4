import { Fault } from "../../core/faults.ts";
import type { DeviceReport, HostDevice } from "./host_device.ts";

/**
 * The device with what its hypervisor has told of it. An address of a device that nobody holds
 * would be told to its next holder, whose hypervisor has yet to plug it.
 *
 * @throws {Fault} `wrong-device-kind` when such a device has no such address, `device-not-attached`
 */
export function reported(device: HostDevice, report: DeviceReport): HostDevice {
  const told = withReport(device, report);
  if (device.holders.length > 0) return told;
  throw new Fault(
    "device-not-attached",
    `Cannot take down a report of device ${device.id}: nobody holds it: attach it first`,
  );
}

function withReport(device: HostDevice, report: DeviceReport): HostDevice {
  const told = Object.fromEntries(
    Object.entries(report).filter(([, value]) => value !== undefined),
  ) as DeviceReport;
  const { block, vhostUser } = device;
  if (block !== undefined) return { ...device, block: { ...block, ...told } };
  const other = Object.keys(told).find((name) => name !== "pciAddr");
  if (vhostUser?.type === "vhost-user-blk-pci" && other === undefined) {
    return { ...device, vhostUser: { ...vhostUser, ...told } };
  }
  throw new Fault(
    "wrong-device-kind",
    `Cannot take down ${other ?? "pciAddr"} of device ${device.id}: it is of kind ${device.kind}`,
  );
}
