import type { HostDevice } from "../host/host_device.ts";
import { imageFormat, notRenderable, part, type Rendering, type Step } from "./rendering.ts";

/** KRUN_DISK_FORMAT_… */
const DISK_FORMATS = { raw: 0, qcow2: 1, vmdk: 2, vhdx: undefined } as const;
/** KRUN_SYNC_FULL: what the guest flushes is on storage. */
const SYNC_FULL = 2;

/** Calls of libkrun (its libkrun.h), all of them before the guest starts. */
export function renderLibkrun(device: HostDevice): Rendering {
  switch (device.kind) {
    case "block": {
      const block = part(device.block);
      if (block.driver === "nvdimm") {
        notRenderable(device, "libkrun", "it has no persistent memory");
      }
      if (block.driver === "virtio-blk-ccw") {
        notRenderable(device, "libkrun", "it has no channel devices");
      }
      const format = DISK_FORMATS[imageFormat(block)];
      if (format === undefined) {
        return notRenderable(device, "libkrun", `it does not know ${block.format} images`);
      }
      return cold({
        type: "call",
        function: "krun_add_disk3",
        arguments: {
          block_id: block.id,
          disk_path: block.file,
          disk_format: format,
          read_only: block.readOnly,
          direct_io: false,
          sync_mode: SYNC_FULL,
        },
      });
    }
    case "virtio-fs": {
      const { tag, source, readOnly } = part(device.sharedFolder);
      return cold({
        type: "call",
        function: "krun_add_virtiofs3",
        arguments: { tag, path: source, shm_size: 0, read_only: readOnly },
      });
    }
    case "vfio":
      return notRenderable(device, "libkrun", "it passes no PCI devices through");
    case "virtio-9p":
      return notRenderable(device, "libkrun", "it shares folders over virtio-fs only");
    case "rng":
      return notRenderable(device, "libkrun", "its guests have an entropy source without a file");
    case "generic":
      return notRenderable(device, "libkrun", "no hypervisor passes character devices on");
    default:
      return notRenderable(device, "libkrun", "it has no block, network or file system sockets");
  }
}

function cold(step: Step): Rendering {
  return {
    plug: "cold",
    steps: [step],
    undo: [],
    waitFor: [],
    notes: ["free the context and build it again to take it back"],
  };
}
