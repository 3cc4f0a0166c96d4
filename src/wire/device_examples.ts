/**
 * Examples of devices in the documents of the API. A disk stands for all kinds, because a device has
 * only the members of its own kind.
 *
 * @module
 */

const BLOCK = {
  driver: "virtio-scsi",
  file: "/dev/sda",
  format: "raw",
  id: "drive-5f0c9a3be2d10044",
  index: 0,
  scsiAddr: "0:0",
  shareRw: false,
  readOnly: true,
  pmem: false,
  isDevice: true,
  sizeBytes: "1073741824",
};

const DEVICE = {
  id: "5f0c9a3be2d10044",
  kind: "block",
  sandbox: "default",
  info: {
    containerPath: "/dev/data",
    hostPath: "/dev/sda",
    type: "b",
    major: "8",
    minor: "0",
  },
  why: "type b is a block device; virtio-scsi by default",
  block: BLOCK,
};

/** A host device as it is shown. */
export const HOST_DEVICE_EXAMPLE = {
  ...DEVICE,
  status: "attached",
  createdAt: "2026-11-20T12:00:00.000000001Z",
  holders: [{
    name: "web-1",
    since: "2026-11-20T12:00:01.000000001Z",
    state: "held",
    leaseMs: 60_000,
  }],
};

/** A host device as an image holds it. */
export const HOST_DEVICE_RECORD_EXAMPLE = {
  ...DEVICE,
  storage: { self: ["block 8:0"], below: [] },
  createdNs: "1795176000000000001",
  holders: [{ name: "web-1", sinceNs: "1795176001000000001", leaseMs: 60_000 }],
};

/** An image of a registry. */
export const DEVICE_IMAGE_EXAMPLE = {
  version: 1,
  anonymous: {
    lastMinor: "1",
    devices: [{
      kind: "multi",
      minor: "1",
      name: "layers",
      last: "1",
      mappings: [["2049", "", "131074", "1"]],
      retired: [],
    }],
  },
  host: [HOST_DEVICE_RECORD_EXAMPLE],
};

/** What a caller knows of a device of the host. */
export const DEVICE_INFO_EXAMPLE = {
  containerPath: "/dev/data",
  type: "b",
  major: "8",
  minor: "0",
};

/** How QEMU is told to plug a disk. */
export const RENDERING_EXAMPLE = {
  plug: "hot",
  steps: [
    {
      type: "qmp",
      execute: "blockdev-add",
      arguments: { "node-name": "drive-5f0c9a3be2d10044", driver: "raw", "read-only": true },
    },
    {
      type: "qmp",
      execute: "device_add",
      arguments: { driver: "virtio-blk-pci", id: "virtio-drive-5f0c9a3be2d10044", bus: "rp3" },
    },
  ],
  undo: [
    {
      type: "qmp",
      execute: "device_del",
      arguments: { id: "virtio-drive-5f0c9a3be2d10044" },
      undoes: 1,
    },
    {
      type: "qmp",
      execute: "blockdev-del",
      arguments: { "node-name": "drive-5f0c9a3be2d10044" },
      undoes: 0,
    },
  ],
  waitFor: [{
    afterUndo: 0,
    event: "DEVICE_DELETED",
    data: { device: "virtio-drive-5f0c9a3be2d10044" },
  }],
  notes: ["on a q35 machine say with bus= which root port it goes to"],
};
