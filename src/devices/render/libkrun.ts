import type { HostDevice } from "../host/host_device.ts";
import { type ImageFormat, imageFormat, requireShareable } from "./image_format.ts";
import { cold, part, refuse, requireNoChannelDevice, scsiNotes } from "./plugging.ts";
import type { Rendering } from "./rendering.ts";

/** KRUN_DISK_FORMAT_… */
const DISK_FORMATS: Readonly<Partial<Record<ImageFormat, number>>> = { raw: 0, qcow2: 1, vmdk: 2 };
/** KRUN_SYNC_FULL: what the guest flushes is on storage; KRUN_SYNC_NONE: it need not be. */
const SYNC_MODES = { writeback: 2, unsafe: 0 } as const;

/** Calls of libkrun (its libkrun.h), all of them before the guest starts. */
export function renderLibkrun(device: HostDevice): Rendering {
  switch (device.kind) {
    case "block": {
      const block = part(device.block);
      if (block.driver === "nvdimm") refuse("it has no persistent memory");
      requireNoChannelDevice(block);
      const format = DISK_FORMATS[imageFormat(block)];
      if (format === undefined) return refuse(`it does not know ${block.format} images`);
      requireShareable(block);
      return call("krun_add_disk3", {
        block_id: block.id,
        disk_path: block.file,
        disk_format: format,
        read_only: block.readOnly,
        direct_io: false,
        sync_mode: SYNC_MODES[block.cacheType ?? "writeback"],
      }, scsiNotes(device));
    }
    case "virtio-fs": {
      const { tag, source, readOnly } = part(device.sharedFolder);
      return call("krun_add_virtiofs3", { tag, path: source, shm_size: 0, read_only: readOnly });
    }
    case "vfio":
      return refuse("it passes no PCI devices through");
    case "virtio-9p":
      return refuse("it shares folders over virtio-fs only");
    case "rng":
      return refuse("its guests have an entropy source without a file");
    case "generic":
      return refuse("no hypervisor passes character devices on");
    default:
      return refuse("it has no block, network or file system sockets");
  }
}

function call(
  name: string,
  args: Readonly<Record<string, string | number | boolean>>,
  notes: readonly string[] = [],
): Rendering {
  return cold({ type: "call", function: name, arguments: args }, [
    ...notes,
    "free the context and build it again to take it back",
  ]);
}
