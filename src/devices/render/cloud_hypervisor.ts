import type { HostDevice, VhostUserDevice } from "../host/host_device.ts";
import { type ImageFormat, imageFormat, requireRaw } from "./image_format.ts";
import { flushNotes, hot, part, refuse, requireNoChannelDevice, scsiNotes } from "./plugging.ts";
import type { Rendering } from "./rendering.ts";

const IMAGE_TYPES: Readonly<Partial<Record<ImageFormat, string>>> = {
  raw: "Raw",
  qcow2: "Qcow2",
  vhdx: "Vhdx",
  vhd: "FixedVhd",
};
/** Kata's queue of a file system; a network device has one pair of queues. */
const FS_QUEUE_SIZE = 1024;

const REMOVED_NOTE = "the device is out when GET /api/v1/vm.info no longer names it";
const SHARED_MEMORY_NOTE = "the guest's memory must be shared";

/** Requests to Cloud Hypervisor's API socket (its cloud-hypervisor.yaml). */
export function renderCloudHypervisor(device: HostDevice): Rendering {
  switch (device.kind) {
    case "block": {
      const block = part(device.block);
      const { id, file, readOnly } = block;
      if (block.driver === "nvdimm") {
        requireRaw(block);
        if (readOnly) refuse("its persistent memory is never read-only");
        return hot([move("pmem", { id, file })], [REMOVED_NOTE]);
      }
      requireNoChannelDevice(block);
      if (block.shareRw) {
        refuse("it locks each disk, so no other sandbox could write to it (shareRw)");
      }
      const format = imageFormat(block);
      const imageType = IMAGE_TYPES[format];
      if (imageType === undefined) refuse(`it does not know ${block.format} images`);
      const disk = { id, path: file, readonly: readOnly, image_type: imageType };
      return hot([move("disk", disk)], [
        REMOVED_NOTE,
        ...scsiNotes(device),
        ...flushNotes(block),
        ...(format === "vhd" ? ["of VHD images it takes those of fixed size only"] : []),
      ]);
    }
    case "vfio": {
      const devices = part(device.vfio);
      const moves = devices.map(({ id, sysfsDev }) => move("device", { id, path: `${sysfsDev}/` }));
      return hot(moves, [REMOVED_NOTE]);
    }
    case "vhost-user-blk-pci":
    case "virtio-net-pci":
    case "vhost-user-fs-pci":
      return hot([vhostUserMove(part(device.vhostUser))], [SHARED_MEMORY_NOTE, REMOVED_NOTE]);
    case "vhost-user-scsi-pci":
      return refuse("it has no SCSI devices");
    case "rng":
      return refuse("its one entropy source is named when it starts (--rng src=FILE)");
    case "virtio-fs":
    case "virtio-9p":
      return refuse("it shares folders through a vhost-user-fs socket only");
    default:
      return refuse("no hypervisor passes character devices on");
  }
}

function vhostUserMove({ type, devId: id, socketPath, macAddress, tag }: VhostUserDevice): Move {
  if (type === "vhost-user-blk-pci") {
    return move("disk", { id, vhost_user: true, vhost_socket: socketPath });
  }
  if (type === "virtio-net-pci") {
    const mac = macAddress === undefined ? {} : { mac: macAddress };
    const socket = { vhost_user: true, vhost_socket: socketPath, vhost_mode: "Client" };
    return move("net", { id, ...socket, ...mac });
  }
  if (tag === undefined) refuse("the file system has no tag");
  return move("fs", { id, tag, socket: socketPath, num_queues: 1, queue_size: FS_QUEUE_SIZE });
}

type Move = Parameters<typeof hot>[0][number];

/** Adds a thing under an id, by which it is taken out again. */
function move(what: string, body: { readonly id: string; readonly [name: string]: unknown }): Move {
  const put = (path: string, content: Readonly<Record<string, unknown>>) =>
    ({ type: "http", method: "PUT", path: `/api/v1/vm.${path}`, body: content }) as const;
  return { step: put(`add-${what}`, body), undo: put("remove-device", { id: body.id }) };
}
