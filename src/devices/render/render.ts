import { Fault } from "../../core/faults.ts";
import type { HostDevice } from "../host/host_device.ts";
import { renderCloudHypervisor } from "./cloud_hypervisor.ts";
import { renderCrosvm } from "./crosvm.ts";
import { renderFirecracker } from "./firecracker.ts";
import { renderLibkrun } from "./libkrun.ts";
import { Refusal, refuse } from "./plugging.ts";
import { renderQemu } from "./qemu.ts";
import type { Hypervisor, Rendering, RenderOptions } from "./rendering.ts";

const RENDERERS: Readonly<
  Record<Hypervisor, (device: HostDevice, options: RenderOptions) => Rendering>
> = {
  firecracker: renderFirecracker,
  "cloud-hypervisor": renderCloudHypervisor,
  qemu: renderQemu,
  libkrun: renderLibkrun,
  crosvm: renderCrosvm,
};

/**
 * Says how a hypervisor plugs a device, and how it takes the device out again
 * (docs/devices.md#9). Somebody must hold the device: only then has it numbers.
 *
 * @throws {Fault} `not-renderable` with the reason
 */
export function render(
  device: HostDevice,
  hypervisor: Hypervisor,
  options: RenderOptions = {},
): Rendering {
  try {
    if (device.holders.length === 0) {
      refuse("nobody holds it, so it has no numbers: attach it first");
    }
    requirePlain(device);
    return RENDERERS[hypervisor](device, options);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new Fault(
      "not-renderable",
      `Cannot render device ${device.id} of kind ${device.kind} for ${hypervisor}: ` +
        error.message,
      { members: { reason: error.message } },
    );
  }
}

/** What Linux takes as the path of a socket, without the zero at its end (unix(7)). */
const SOCKET_PATH_BYTES_MAX = 107;
const LONG_DOMAIN = /^[0-9a-f]{5,}:/;

/** Devices and paths that no hypervisor opens, or that nobody could try here. */
function requirePlain({ vhostUser, vfio = [] }: HostDevice): void {
  const bytes = new TextEncoder().encode(vhostUser?.socketPath).length;
  if (bytes > SOCKET_PATH_BYTES_MAX) {
    refuse(`the path of its socket has ${bytes} bytes and Linux takes ${SOCKET_PATH_BYTES_MAX}`);
  }
  for (const { type, bdf, sysfsDev } of vfio) {
    if (LONG_DOMAIN.test(bdf)) refuse(`${bdf} has a PCI domain of more than four digits`);
    if (type !== "mediated") continue;
    if (sysfsDev.includes("/vfio_ap/")) refuse(`${sysfsDev} is a crypto device of IBM Z (vfio-ap)`);
    if (/\/css[0-9a-f]+\//.test(sysfsDev)) {
      refuse(`${sysfsDev} is a channel device of IBM Z (vfio-ccw)`);
    }
  }
}
