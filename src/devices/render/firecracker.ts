import type { BlockDrive, HostDevice } from "../host/host_device.ts";
import { requireRaw } from "./image_format.ts";
import { cold, hot, part, refuse, requireNoChannelDevice, scsiNotes } from "./plugging.ts";
import type { Rendering } from "./rendering.ts";

const HOT_NOTE = "after the guest has booted it needs --enable-pci, and the guest must look for it";
const UNDO_NOTE = "before boot it refuses the step back: start it again without the device";
const COLD_NOTE = "the same request before boot takes the place of this one";

/**
 * Requests to Firecracker's API socket (its firecracker.yaml): drives, persistent memory and
 * vhost-user drives.
 */
export function renderFirecracker(device: HostDevice): Rendering {
  switch (device.kind) {
    case "block": {
      const block = part(device.block);
      return block.driver === "nvdimm" ? pmem(block) : drive(block, scsiNotes(device));
    }
    case "vhost-user-blk-pci": {
      const { devId, socketPath } = part(device.vhostUser);
      const id = legalId(devId);
      const body = {
        drive_id: id,
        is_root_device: false,
        cache_type: "Writeback",
        socket: socketPath,
      };
      return cold({ type: "http", method: "PUT", path: `/drives/${id}`, body }, [COLD_NOTE]);
    }
    case "vfio":
      return refuse("it passes no PCI devices through");
    case "rng":
      return refuse("its entropy device takes no file");
    case "generic":
      return refuse("no hypervisor passes character devices on");
    default:
      return refuse("it has block, network and vsock devices only");
  }
}

function drive(block: BlockDrive, notes: readonly string[]): Rendering {
  requireRaw(block);
  requireNoChannelDevice(block);
  const id = legalId(block.id);
  return plugged(`/drives/${id}`, {
    drive_id: id,
    path_on_host: block.file,
    is_root_device: false,
    is_read_only: block.readOnly,
    cache_type: CACHE_WORDS[block.cacheType ?? "writeback"],
  }, notes);
}

function pmem(block: BlockDrive): Rendering {
  requireRaw(block);
  const { id: anyId, file, readOnly } = block;
  const id = legalId(anyId);
  return plugged(`/pmem/${id}`, { id, path_on_host: file, read_only: readOnly });
}

function plugged(
  path: string,
  body: Readonly<Record<string, unknown>>,
  notes: readonly string[] = [],
): Rendering {
  const step = { type: "http", method: "PUT", path, body } as const;
  return hot([{ step, undo: { type: "http", method: "DELETE", path } }], [
    ...notes,
    HOT_NOTE,
    UNDO_NOTE,
  ]);
}

/** Without this word it drops what the guest flushes. */
const CACHE_WORDS = { writeback: "Writeback", unsafe: "Unsafe" } as const;

/** Firecracker takes letters, digits and underscores only. */
function legalId(id: string): string {
  return id.replaceAll(/[^A-Za-z0-9_]/g, "_");
}
