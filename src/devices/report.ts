import { Fault } from "../core/faults.ts";
import type { DeviceReport, HostDevice } from "./host_device.ts";

/**
 * The device with what its hypervisor has told of it.
 *
 * @throws {Fault} `wrong-device-kind` when such a device has no such address
 */
export function reported(device: HostDevice, report: DeviceReport): HostDevice {
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
