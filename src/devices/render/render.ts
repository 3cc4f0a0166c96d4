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
