import type { HostDevice } from "../host/host_device.ts";
import { imageFormat, requireRaw, requireShareable } from "./image_format.ts";
import { optionText, type OptionValue } from "./option_text.ts";
import {
  coldArguments,
  flushNotes,
  hot,
  part,
  refuse,
  requireNoChannelDevice,
  scsiNotes,
} from "./plugging.ts";
import type { Rendering } from "./rendering.ts";

const VHOST_USER_TYPES = {
  "vhost-user-blk-pci": "block",
  "virtio-net-pci": "net",
  "vhost-user-fs-pci": "fs",
} as const;

/** A guest sees the first 20 bytes of a disk's serial number. */
const SERIAL_BYTES = 20;

/** Arguments of crosvm's command line (its cmdline.rs). Only VFIO devices can come later. */
export function renderCrosvm(device: HostDevice): Rendering {
  switch (device.kind) {
    case "block": {
      const block = part(device.block);
      const { file, readOnly, id } = block;
      requireNoComma(file);
      if (block.driver === "nvdimm") {
        requireRaw(block);
        return coldArguments(["--pmem", options({ path: file, ro: readOnly })]);
      }
      requireNoChannelDevice(block);
      const format = imageFormat(block);
      if (format !== "raw" && format !== "qcow2") refuse(`it does not know ${format} images`);
      requireShareable(block);
      // It locks a disk's file unless it is told not to, and then no other sandbox can open it.
      const lock = block.shareRw ? { lock: false } : {};
      const disk = { path: file, ro: readOnly, ...lock, id: id.slice(0, SERIAL_BYTES) };
      return coldArguments(["--block", options(disk)], [
        ...scsiNotes(device),
        ...flushNotes(block),
      ]);
    }
    case "vfio": {
      const paths = part(device.vfio).map(({ sysfsDev }) => sysfsDev);
      const moves = paths.map((path) => ({
        step: { type: "command", arguments: ["vfio", "add", path, "{socket}"] },
        undo: { type: "command", arguments: ["vfio", "remove", path, "{socket}"] },
      } as const));
      return hot(moves, [], paths.flatMap((path) => ["--vfio", path]));
    }
    case "vhost-user-blk-pci":
    case "virtio-net-pci":
    case "vhost-user-fs-pci": {
      const { socketPath } = part(device.vhostUser);
      requireNoComma(socketPath);
      const type = VHOST_USER_TYPES[device.kind];
      return coldArguments(["--vhost-user", `type=${type},socket=${socketPath}`]);
    }
    case "virtio-fs":
    case "virtio-9p": {
      const { source, tag, readOnly } = part(device.sharedFolder);
      if (readOnly) refuse("its --shared-dir lets the guest write: it has no read-only folders");
      if (/:/.test(source + tag)) refuse("its --shared-dir takes no colon in a path or tag");
      const type = device.kind === "virtio-fs" ? "fs" : "p9";
      return coldArguments(["--shared-dir", `${source}:${tag}:type=${type}`]);
    }
    case "vhost-user-scsi-pci":
      return refuse("it has no vhost-user SCSI device");
    case "rng":
      return refuse("its guests have an entropy source without a file");
    default:
      return refuse("no hypervisor passes character devices on");
  }
}

function options(values: Readonly<Record<string, OptionValue>>): string {
  return optionText(values, { on: "true", off: "false" });
}

/** crosvm has no way to write a comma in a value. */
function requireNoComma(path: string): void {
  if (path.includes(",")) refuse("its options take no comma in a path");
}
