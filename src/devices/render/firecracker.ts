import type { BlockDrive, HostDevice } from "../host/host_device.ts";
import { imageFormat, notRenderable, part, type Rendering } from "./rendering.ts";

const NOTE = "after the guest has booted it needs --enable-pci, and the guest must look for it";

/**
 * Requests to Firecracker's API socket (its firecracker.yaml): drives, persistent memory and
 * vhost-user drives.
 */
export function renderFirecracker(device: HostDevice): Rendering {
  switch (device.kind) {
    case "block": {
      const block = part(device.block);
      return block.driver === "nvdimm" ? pmem(block) : drive(device, block);
    }
    case "vhost-user-blk-pci": {
      const { devId, socketPath } = part(device.vhostUser);
      const id = legalId(devId);
      return {
        plug: "cold",
        steps: [put(`/drives/${id}`, {
          drive_id: id,
          is_root_device: false,
          socket: socketPath,
        })],
        undo: [],
        waitFor: [],
        notes: ["the same request before boot takes the place of this one"],
      };
    }
    case "vfio":
      return notRenderable(device, "firecracker", "it passes no PCI devices through");
    case "rng":
      return notRenderable(device, "firecracker", "its entropy device takes no file");
    case "generic":
      return notRenderable(device, "firecracker", "no hypervisor passes character devices on");
    default:
      return notRenderable(device, "firecracker", "it has block, network and vsock devices only");
  }
}

function drive(device: HostDevice, block: BlockDrive): Rendering {
  if (imageFormat(block) !== "raw") {
    notRenderable(device, "firecracker", `it takes raw images only, not ${block.format}`);
  }
  if (block.driver === "virtio-blk-ccw") {
    notRenderable(device, "firecracker", "it has no channel devices");
  }
  const id = legalId(block.id);
  return {
    plug: "hot",
    steps: [put(`/drives/${id}`, {
      drive_id: id,
      path_on_host: block.file,
      is_root_device: false,
      is_read_only: block.readOnly,
    })],
    undo: [{ type: "http", method: "DELETE", path: `/drives/${id}`, undoes: 0 }],
    waitFor: [],
    notes: [NOTE],
  };
}

function pmem(block: BlockDrive): Rendering {
  const id = legalId(block.id);
  return {
    plug: "hot",
    steps: [put(`/pmem/${id}`, { id, path_on_host: block.file, read_only: block.readOnly })],
    undo: [{ type: "http", method: "DELETE", path: `/pmem/${id}`, undoes: 0 }],
    waitFor: [],
    notes: [NOTE],
  };
}

function put(path: string, body: Readonly<Record<string, unknown>>): Rendering["steps"][number] {
  return { type: "http", method: "PUT", path, body };
}

/** Letters, digits and underscores are all that it takes. */
function legalId(id: string): string {
  return id.replaceAll(/[^A-Za-z0-9_]/g, "_");
}
