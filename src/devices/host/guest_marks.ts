import { Fault } from "../../core/faults.ts";
import type { HostDevice } from "./host_device.ts";

/**
 * Requires that no other device of a sandbox has the marks by which its guest tells devices apart:
 * the tag of a file system, and the address of a network device.
 *
 * @param others The devices of the same sandbox
 * @throws {Fault} `device-differs`
 */
export function requireOwnMarks(device: HostDevice, others: readonly HostDevice[]): void {
  const marks = marksOf(device);
  for (const other of others) {
    const twice = marksOf(other).find((mark) => marks.includes(mark));
    if (twice === undefined) continue;
    throw new Fault(
      "device-differs",
      `Cannot register ${device.info.hostPath} with ${twice}: device ${other.id} of sandbox ` +
        `"${device.sandbox}" has it (${other.info.hostPath}): choose another one`,
      { members: { device: other.id } },
    );
  }
}

function marksOf({ sharedFolder, vhostUser }: HostDevice): string[] {
  const tag = sharedFolder?.tag ?? vhostUser?.tag;
  const mac = vhostUser?.macAddress?.toLowerCase();
  return [
    ...(tag === undefined ? [] : [`tag ${tag}`]),
    ...(mac === undefined ? [] : [`address ${mac}`]),
  ];
}
