import type { HostDevice, VhostUserDevice } from "../host/host_device.ts";
import {
  imageFormat,
  notRenderable,
  part,
  type Rendering,
  type Step,
  type UndoStep,
} from "./rendering.ts";

const IMAGE_TYPES = { raw: "Raw", qcow2: "Qcow2", vhdx: "Vhdx", vmdk: undefined } as const;
/** Kata's queue of a file system; a network device has one pair of queues. */
const FS_QUEUE_SIZE = 1024;

/** Requests to Cloud Hypervisor's API socket (its cloud-hypervisor.yaml). */
export function renderCloudHypervisor(device: HostDevice): Rendering {
  switch (device.kind) {
    case "block": {
      const block = part(device.block);
      const { id, file } = block;
      if (block.driver === "nvdimm") {
        if (block.readOnly) {
          notRenderable(device, "cloud-hypervisor", "its persistent memory is never read-only");
        }
        return hot([add("pmem", { id, file })], [id]);
      }
      if (block.driver === "virtio-blk-ccw") {
        notRenderable(device, "cloud-hypervisor", "it has no channel devices");
      }
      const imageType = IMAGE_TYPES[imageFormat(block)];
      if (imageType === undefined) {
        notRenderable(device, "cloud-hypervisor", `it does not know ${block.format} images`);
      }
      const body = { id, path: file, readonly: block.readOnly, image_type: imageType };
      return hot([add("disk", body)], [id]);
    }
    case "vfio": {
      const devices = part(device.vfio);
      const steps = devices.map(({ id, sysfsDev }) => add("device", { id, path: `${sysfsDev}/` }));
      return hot(steps, devices.map(({ id }) => id));
    }
    case "vhost-user-blk-pci":
    case "virtio-net-pci":
    case "vhost-user-fs-pci": {
      const vhostUser = part(device.vhostUser);
      return hot([vhostUserStep(device, vhostUser)], [vhostUser.devId], [
        "the guest's memory must be shared",
      ]);
    }
    case "vhost-user-scsi-pci":
      return notRenderable(device, "cloud-hypervisor", "it has no SCSI devices");
    case "rng":
      return notRenderable(
        device,
        "cloud-hypervisor",
        "its one entropy source is named when it starts (--rng src=FILE)",
      );
    case "virtio-fs":
    case "virtio-9p":
      return notRenderable(
        device,
        "cloud-hypervisor",
        "it shares folders through a vhost-user-fs socket only",
      );
    default:
      return notRenderable(device, "cloud-hypervisor", "no hypervisor passes character devices on");
  }
}

function vhostUserStep(device: HostDevice, vhostUser: VhostUserDevice): Step {
  const { devId: id, socketPath, macAddress, tag } = vhostUser;
  if (vhostUser.type === "vhost-user-blk-pci") {
    return add("disk", { id, vhost_user: true, vhost_socket: socketPath });
  }
  if (vhostUser.type === "virtio-net-pci") {
    return add("net", {
      id,
      vhost_user: true,
      vhost_socket: socketPath,
      vhost_mode: "Client",
      ...(macAddress === undefined ? {} : { mac: macAddress }),
    });
  }
  if (tag === undefined) notRenderable(device, "cloud-hypervisor", "the file system has no tag");
  return add("fs", { id, tag, socket: socketPath, num_queues: 1, queue_size: FS_QUEUE_SIZE });
}

function add(what: string, body: Readonly<Record<string, unknown>>): Step {
  return { type: "http", method: "PUT", path: `/api/v1/vm.add-${what}`, body };
}

/** @param ids One for each step, by which the device is taken out again */
function hot(
  steps: readonly Step[],
  ids: readonly string[],
  notes: readonly string[] = [],
): Rendering {
  const undo = ids.map((id, undoes): UndoStep => ({
    type: "http",
    method: "PUT",
    path: "/api/v1/vm.remove-device",
    body: { id },
    undoes,
  })).reverse();
  return {
    plug: "hot",
    steps,
    undo,
    waitFor: [],
    notes: [...notes, "the device is out when GET /api/v1/vm.info no longer names it"],
  };
}
