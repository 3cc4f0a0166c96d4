import type { HostDevice } from "../host/host_device.ts";
import { optionText } from "./option_text.ts";
import { imageFormat, notRenderable, part, type Rendering } from "./rendering.ts";

const TYPES = {
  "vhost-user-blk-pci": "block",
  "virtio-net-pci": "net",
  "vhost-user-fs-pci": "fs",
} as const;

/** Words for crosvm's command line (its cmdline.rs); VFIO devices can come while it runs. */
export function renderCrosvm(device: HostDevice): Rendering {
  switch (device.kind) {
    case "block": {
      const block = part(device.block);
      const { file, readOnly, id } = block;
      requirePlain(device, file);
      if (block.driver === "nvdimm") {
        return cold(["--pmem", optionText({ path: file, ro: readOnly }, WORDS)]);
      }
      if (block.driver === "virtio-blk-ccw") {
        notRenderable(device, "crosvm", "it has no channel devices");
      }
      const format = imageFormat(block);
      if (format === "vmdk" || format === "vhdx") {
        notRenderable(device, "crosvm", `it does not know ${format} images`);
      }
      // The serial number that a guest sees has 20 bytes.
      return cold([
        "--block",
        optionText({ path: file, ro: readOnly, id: id.slice(0, 20) }, WORDS),
      ]);
    }
    case "vfio": {
      const devices = part(device.vfio);
      return {
        plug: "hot",
        steps: devices.map(({ sysfsDev }) => ({
          type: "command",
          arguments: ["vfio", "add", sysfsDev, "{socket}"],
        })),
        undo: devices.map(({ sysfsDev }, undoes) => ({
          type: "command" as const,
          arguments: ["vfio", "remove", sysfsDev, "{socket}"],
          undoes,
        })).reverse(),
        waitFor: [],
        commandLine: devices.flatMap(({ sysfsDev }) => ["--vfio", sysfsDev]),
        notes: [],
      };
    }
    case "vhost-user-blk-pci":
    case "virtio-net-pci":
    case "vhost-user-fs-pci": {
      const { socketPath } = part(device.vhostUser);
      requirePlain(device, socketPath);
      return cold(["--vhost-user", `type=${TYPES[device.kind]},socket=${socketPath}`]);
    }
    case "virtio-fs":
    case "virtio-9p": {
      const { source, tag } = part(device.sharedFolder);
      if (/:/.test(source + tag)) {
        notRenderable(device, "crosvm", "its --shared-dir takes no colon in a path or tag");
      }
      const type = device.kind === "virtio-fs" ? "fs" : "p9";
      return cold(["--shared-dir", `${source}:${tag}:type=${type}`]);
    }
    case "vhost-user-scsi-pci":
      return notRenderable(device, "crosvm", "it has no vhost-user SCSI device");
    case "rng":
      return notRenderable(device, "crosvm", "its guests have an entropy source without a file");
    default:
      return notRenderable(device, "crosvm", "no hypervisor passes character devices on");
  }
}

const WORDS = { on: "true", off: "false" } as const;

/** It has no way to write a comma in a value. */
function requirePlain(device: HostDevice, path: string): void {
  if (path.includes(",")) notRenderable(device, "crosvm", "its options take no comma in a path");
}

function cold(words: readonly string[]): Rendering {
  return {
    plug: "cold",
    steps: [{ type: "arguments", arguments: words }],
    undo: [],
    waitFor: [],
    commandLine: words,
    notes: [],
  };
}
