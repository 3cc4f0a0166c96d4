import type { HostDevice } from "../host/host_device.ts";
import { renderCloudHypervisor } from "./cloud_hypervisor.ts";
import { renderCrosvm } from "./crosvm.ts";
import { renderFirecracker } from "./firecracker.ts";
import { renderLibkrun } from "./libkrun.ts";
import { renderQemu } from "./qemu.ts";
import { type Hypervisor, notRenderable, type Rendering, type RenderOptions } from "./rendering.ts";

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
 * What to tell a hypervisor to plug a device, and to take it out again. The device must have its
 * numbers: somebody must hold it.
 *
 * @throws {Fault} `not-renderable` with the reason
 */
export function render(
  device: HostDevice,
  hypervisor: Hypervisor,
  options: RenderOptions = {},
): Rendering {
  if (device.holders.length === 0) {
    notRenderable(device, hypervisor, "nobody holds it, so it has no numbers: attach it first");
  }
  return RENDERERS[hypervisor](device, options);
}
