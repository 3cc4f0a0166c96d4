import { z } from "@hono/zod-openapi";
import { DEVICE_LEASE_MS_MAX } from "../core/limits.ts";
import { ANONYMOUS_KINDS } from "../devices/anonymous/identity.ts";
import { DEVICE_STATUSES } from "../devices/host/holder_leases.ts";
import { HYPERVISORS, PLUG_TIMES } from "../devices/render/rendering.ts";
import {
  BLOCK_DRIVERS,
  CACHE_TYPES,
  DEVICE_FILE_TYPES,
  HOST_DEVICE_KINDS,
  SHARED_FOLDER_TYPES,
  VFIO_DEVICE_TYPES,
  VHOST_USER_TYPES,
} from "../devices/resolve/device_kinds.ts";
import {
  DEVICE_INFO_EXAMPLE,
  HOST_DEVICE_EXAMPLE,
  HOST_DEVICE_RECORD_EXAMPLE,
  RENDERING_EXAMPLE,
} from "./device_examples.ts";
import { AnonymousDeviceView, DeviceInfoBody, HostPath, INFO } from "./devices.ts";
import { Name, pageQuery, pageView, Time, U32, U64Text, wordOf } from "./scalars.ts";
import { rightForm } from "./validation.ts";

const MAC = /^[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}$/;
/** A word that goes into a hypervisor's command: an address, a bus, an id. */
const Word = z.string().regex(
  /^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}$/,
  rightForm("1 to 64 of A-Z a-z 0-9 _ . : / - and begin with a letter or digit"),
);
/** Virtio gives a file system's tag 36 bytes. */
const Tag = z.string().regex(
  /^[A-Za-z0-9_.-]{1,36}$/,
  rightForm("1 to 36 of A-Z a-z 0-9 _ . -"),
);
const AbsolutePath = HostPath.regex(/^\//, rightForm("a path from the root on, as /run/net"));

/** Members that devices have both as they are registered and as they are shown. */
const DEVICE = {
  sandbox: "The sandbox that uses it",
  kind: "What it is; found by its numbers and path when it is left out",
  block: "Of a block device",
  vfio: "The devices of an attached IOMMU group",
  vhostUser: "Of a device behind a vhost-user socket",
  rng: "Of a source of randomness",
  sharedFolder: "Of a folder that a guest mounts",
  info: "What its caller said of it, with the path that was found",
  why: "Why it is of this kind and has this driver",
} as const;

const BLOCK = {
  format: "`raw`, another format of images, or a file system",
  shareRw: "Whether other sandboxes may write to it as well",
  readOnly: "Whether the guest may only read it",
  cacheType:
    "`writeback` (the default): a flush of the guest waits for storage; `unsafe`: it does not",
} as const;

const VHOST_USER = {
  type: "What is behind the socket",
  socketPath: "Path of the socket on the host",
  macAddress: "Of a network device",
  tag: "Of a file system: what the guest mounts it by",
  cache: "Of a file system: what the guest may cache",
  cacheSize: "Of a file system: its window of shared memory in MiB",
} as const;

const FOLDER = {
  source: "Path of the folder on the host",
  tag: "What the guest mounts it by",
  readOnly: "Whether the guest may only read it",
} as const;

/** Where a hypervisor says that it has plugged a device. */
const REPORT = {
  mmioAddr: "Address of its memory-mapped registers",
  pciAddr: "Its PCI address",
  nvdimmId: "Its id among the memory modules",
  devNo: "Its number on a channel of the mainframe",
} as const;

const LEASE = "How long a holder counts as alive after each sign of life, in milliseconds; " +
  "for ever when it is left out";

/** `POST /v1/devices`. */
export const RegisterBody = z.strictObject({
  ...DeviceInfoBody.shape,
  sandbox: Name.default("default").describe(DEVICE.sandbox),
  kind: wordOf(HOST_DEVICE_KINDS).optional().describe(DEVICE.kind),
  block: z.strictObject({
    format: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,31}$/, rightForm("1 to 32 of a-z 0-9 . _ -"))
      .optional().describe(BLOCK.format),
    shareRw: z.boolean().optional().describe(BLOCK.shareRw),
    readOnly: z.boolean().optional().describe(BLOCK.readOnly),
    cacheType: wordOf(CACHE_TYPES).optional().describe(BLOCK.cacheType),
  }).optional().describe(DEVICE.block),
  vhostUser: z.strictObject({
    type: wordOf(VHOST_USER_TYPES).describe(VHOST_USER.type),
    socketPath: AbsolutePath.describe(VHOST_USER.socketPath),
    macAddress: z.string().regex(MAC, rightForm("six bytes in hexadecimal, as 52:54:00:12:34:56"))
      .optional().describe(VHOST_USER.macAddress),
    tag: Tag.optional().describe(VHOST_USER.tag),
    cache: wordOf(["none", "auto", "always", "never", "metadata"]).optional().describe(
      VHOST_USER.cache,
    ),
    cacheSize: U32.optional().describe(VHOST_USER.cacheSize),
  }).optional().describe(DEVICE.vhostUser),
  rng: z.strictObject({ filename: AbsolutePath.describe("Path of its device on the host") })
    .optional().describe(DEVICE.rng),
  sharedFolder: z.strictObject({
    type: wordOf(SHARED_FOLDER_TYPES).describe("How the folder is shared"),
    source: AbsolutePath.describe(FOLDER.source),
    tag: Tag.describe(FOLDER.tag),
    readOnly: z.boolean().optional().describe(FOLDER.readOnly),
  }).optional().describe(DEVICE.sharedFolder),
}).openapi("RegisterDeviceRequest", {
  example: { ...DEVICE_INFO_EXAMPLE, sandbox: "default", block: { readOnly: true } },
  description: "A device of the host for a sandbox",
});

/** `PATCH /v1/devices/{id}`: what the hypervisor reported. */
export const DeviceReportBody = z.strictObject({
  mmioAddr: Word.optional().describe(REPORT.mmioAddr),
  pciAddr: Word.optional().describe(REPORT.pciAddr),
  nvdimmId: Word.optional().describe(REPORT.nvdimmId),
  devNo: Word.optional().describe(REPORT.devNo),
}).openapi("DeviceReport", {
  example: { pciAddr: "02/00" },
  description: "Where a hypervisor has plugged a device",
});

/** `PUT /v1/devices/{id}/holders/{holder}`. */
export const HolderBody = z.strictObject({
  leaseMs: z.int().min(1).max(DEVICE_LEASE_MS_MAX).optional().describe(LEASE),
}).openapi("DeviceHolderRequest", {
  example: { leaseMs: 60_000 },
  description: "How a holder holds a device",
});

/** `{id}` and `{holder}`. */
export const HolderParam = z.object({
  id: z.string().openapi({ example: "5f0c9a3be2d10044", description: "Id of the device" }),
  holder: Name.openapi({ example: "web-1", description: "Name of the holder" }),
});

/** `GET /v1/devices`. */
export const DevicesQuery = z.strictObject({
  kind: wordOf([...ANONYMOUS_KINDS, ...HOST_DEVICE_KINDS]).optional().openapi({
    example: "block",
    description: "Only devices of this kind",
  }),
  sandbox: Name.optional().describe("Only host devices of this sandbox"),
  ...pageQuery(64),
});

/** `GET /v1/devices/{id}/render`. */
export const RenderQuery = z.strictObject({
  for: wordOf(HYPERVISORS).openapi({ example: "qemu", description: "The hypervisor" }),
  bus: Word.optional().openapi({
    example: "rp3",
    description: "The bus of the machine on which it is to be",
  }),
  addr: Word.optional().openapi({ example: "0", description: "The slot on that bus" }),
});

const HYPERVISOR_ID = "What it is called in the hypervisor";
const INDEX = "Its place among the drives of its sandbox, while it is attached";

const BlockShape = {
  driver: z.enum(BLOCK_DRIVERS).describe("How a guest is shown it"),
  file: z.string().describe("Path of the image or device on the host"),
  format: z.string().describe(BLOCK.format),
  id: z.string().describe(HYPERVISOR_ID),
  index: z.int().min(0).optional().describe(INDEX),
  mmioAddr: z.string().optional().describe(REPORT.mmioAddr),
  pciAddr: z.string().optional().describe(REPORT.pciAddr),
  scsiAddr: z.string().optional().describe("`target:unit` of an attached drive"),
  nvdimmId: z.string().optional().describe(REPORT.nvdimmId),
  virtPath: z.string().optional().describe("Where the guest sees an attached drive"),
  devNo: z.string().optional().describe(REPORT.devNo),
  shareRw: z.boolean().describe(BLOCK.shareRw),
  readOnly: z.boolean().describe(BLOCK.readOnly),
  pmem: z.boolean().describe("Whether it is persistent memory"),
  cacheType: z.enum(CACHE_TYPES).optional().describe(BLOCK.cacheType),
  isDevice: z.boolean().describe("Whether the file is a device of the host"),
  sizeBytes: U64Text.optional().describe("Its size in bytes, where it is known"),
};

const VfioShape = {
  id: z.string().describe(HYPERVISOR_ID),
  type: z.enum(VFIO_DEVICE_TYPES).describe("How it is driven"),
  isPcie: z.boolean().describe("Whether it is a PCI Express device"),
  bdf: z.string().describe("Its PCI address on the host, or the id of a mediated device"),
  sysfsDev: z.string().describe("Its folder in sysfs"),
  vendorId: z.string().describe("PCI vendor"),
  deviceId: z.string().describe("PCI device"),
  class: z.string().describe("PCI class"),
  bus: z.string().regex(/^(?:rp[0-9]{1,3})?$/, rightForm("a root port, as rp3, or empty")).describe(
    "The root port that it is behind; empty when it is no PCI Express device",
  ),
  largeBar: z.boolean().describe("Whether a memory region of it does not fit behind a PCI bridge"),
};

const VhostUserShape = {
  devId: z.string().describe(HYPERVISOR_ID),
  socketPath: z.string().describe(VHOST_USER.socketPath),
  type: z.enum(VHOST_USER_TYPES).describe(VHOST_USER.type),
  macAddress: z.string().optional().describe(VHOST_USER.macAddress),
  tag: z.string().optional().describe(VHOST_USER.tag),
  cacheSize: U32.optional().describe(VHOST_USER.cacheSize),
  cache: z.string().optional().describe(VHOST_USER.cache),
  pciAddr: z.string().optional().describe(REPORT.pciAddr),
  index: z.int().min(0).optional().describe(INDEX),
};

const RngShape = {
  id: z.string().describe(HYPERVISOR_ID),
  filename: z.string().describe("Path of its device on the host"),
};
const SharedFolderShape = {
  id: z.string().describe(HYPERVISOR_ID),
  source: z.string().describe(FOLDER.source),
  tag: z.string().describe(FOLDER.tag),
  readOnly: z.boolean().describe(FOLDER.readOnly),
};
const InfoShape = {
  containerPath: z.string().describe(INFO.containerPath),
  hostPath: z.string().describe("Its path on the host"),
  type: z.enum(DEVICE_FILE_TYPES).describe(INFO.type),
  major: U64Text.describe(INFO.major),
  minor: U64Text.describe(INFO.minor),
  pmem: z.boolean().optional().describe(INFO.pmem),
  fileMode: U32.optional().describe(INFO.fileMode),
  uid: U32.optional().describe(INFO.uid),
  gid: U32.optional().describe(INFO.gid),
  driverOptions: z.record(z.string(), z.string()).optional().describe(INFO.driverOptions),
};

const StorageShape = {
  self: z.array(z.string()).readonly().describe(
    "Names of just this storage, as `block 8:1` or `file 8:1:42` (device and inode)",
  ),
  below: z.array(z.string()).readonly().describe(
    "Names of what holds it and more: the disk of a partition, of a volume, of a file",
  ),
  diskseq: z.string().optional().describe("The kernel's number of the disk"),
};
const STORAGE = "Which storage of the host it is, as it was last looked at";

const HOLDERS = "Who holds it, in the order in which they came";

/** A host device as an image holds it. */
export const HostDeviceRecordBody = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{16}$/, rightForm("16 hexadecimal digits")).describe("Its id"),
  kind: z.enum(HOST_DEVICE_KINDS).describe("What it is"),
  sandbox: Name.describe(DEVICE.sandbox),
  info: z.strictObject(InfoShape).describe(DEVICE.info),
  why: z.string().describe(DEVICE.why),
  createdNs: U64Text.describe("When it was registered, in nanoseconds since 1970"),
  holders: z.array(z.strictObject({
    name: Name.describe("Name of the holder"),
    sinceNs: U64Text.describe("Since when it holds the device, in nanoseconds since 1970"),
    leaseMs: z.int().min(1).max(DEVICE_LEASE_MS_MAX).optional().describe(LEASE),
  })).describe(HOLDERS),
  storage: z.strictObject(StorageShape).optional().describe(STORAGE),
  block: z.strictObject(BlockShape).optional().describe(DEVICE.block),
  vfio: z.array(z.strictObject(VfioShape)).optional().describe(DEVICE.vfio),
  vhostUser: z.strictObject(VhostUserShape).optional().describe(DEVICE.vhostUser),
  rng: z.strictObject(RngShape).optional().describe(DEVICE.rng),
  sharedFolder: z.strictObject(SharedFolderShape).optional().describe(DEVICE.sharedFolder),
}).openapi("HostDeviceRecord", {
  example: HOST_DEVICE_RECORD_EXAMPLE,
  description: "A host device as an image holds it",
});

/** A host device as it is shown. */
export const HostDeviceView = z.object({
  id: z.string().openapi({ example: "5f0c9a3be2d10044", description: "Its id" }),
  kind: z.enum(HOST_DEVICE_KINDS).describe("What it is"),
  sandbox: z.string().describe(DEVICE.sandbox),
  status: z.enum(DEVICE_STATUSES).openapi({
    description: "`idle`: nobody holds it; `lost`: the leases of all who do have run out",
  }),
  why: z.string().describe(DEVICE.why),
  createdAt: Time.describe("When it was registered"),
  info: z.object(InfoShape).describe(DEVICE.info),
  holders: z.array(z.object({
    name: z.string().describe("Name of the holder"),
    since: Time.describe("Since when it holds the device"),
    state: z.enum(["held", "lost"]).describe("`lost`: its lease has run out"),
    leaseMs: z.int().optional().describe(LEASE),
  })).describe(HOLDERS),
  block: z.object(BlockShape).optional().describe(DEVICE.block),
  vfio: z.array(z.object(VfioShape)).readonly().optional().describe(DEVICE.vfio),
  vhostUser: z.object(VhostUserShape).optional().describe(DEVICE.vhostUser),
  rng: z.object(RngShape).optional().describe(DEVICE.rng),
  sharedFolder: z.object(SharedFolderShape).optional().describe(DEVICE.sharedFolder),
}).openapi("HostDevice", {
  example: HOST_DEVICE_EXAMPLE,
  description: "A device of the host in a sandbox",
});

/** A device of either sort. */
export const DeviceView = z.union([HostDeviceView, AnonymousDeviceView])
  .openapi("Device", { description: "A device of the host, or one without hardware" });

/** A page of devices: those of the host by id, then the anonymous ones by minor. */
export const DeviceList = pageView(DeviceView)
  .openapi("DeviceList", { description: "A page of devices" });

const Json = z.record(z.string(), z.unknown());
const stepShapes = <Extra extends z.ZodRawShape>(extra: Extra) =>
  [
    z.object({
      type: z.literal("http").describe("A request to its API socket"),
      method: z.enum(["PUT", "DELETE"]).describe("Method of the request"),
      path: z.string().describe("Path of the request"),
      body: Json.optional().describe("Body of the request, as JSON"),
      ...extra,
    }),
    z.object({
      type: z.literal("qmp").describe("A command to QEMU's monitor"),
      execute: z.string().describe("Name of the command"),
      arguments: Json.describe("Arguments of the command"),
      ...extra,
    }),
    z.object({
      type: z.literal("arguments").describe("Arguments of its own command line"),
      arguments: z.array(z.string()).readonly().describe("The arguments, in this order"),
      ...extra,
    }),
    z.object({
      type: z.literal("command").describe(
        "A second run of its program; `{socket}` stands for the control socket of the first",
      ),
      arguments: z.array(z.string()).readonly().describe("The arguments, in this order"),
      ...extra,
    }),
    z.object({
      type: z.literal("call").describe("A call of its library"),
      function: z.string().describe("Name of the function"),
      arguments: Json.describe("What follows the context, in this order"),
      ...extra,
    }),
  ] as const;

/** How a device is plugged into a hypervisor and out of it. */
export const RenderingView = z.object({
  plug: z.enum(PLUG_TIMES).openapi({ description: "While it runs, or before it starts" }),
  steps: z.array(z.discriminatedUnion("type", stepShapes({}))).readonly()
    .describe("What plugs it in, in this order; when one fails, take back those before it"),
  undo: z.array(z.discriminatedUnion(
    "type",
    stepShapes({ undoes: z.int().openapi({ description: "Index of the step it takes back" }) }),
  )).readonly().describe("What takes it out, in this order"),
  waitFor: z.array(z.object({
    afterUndo: z.int().openapi({ description: "Index of the step back that it ends" }),
    event: z.string().describe("Name of the event"),
    data: z.record(z.string(), z.string()).describe("What the event must say"),
  })).readonly().describe("What the hypervisor says when a step back is done"),
  commandLine: z.array(z.string()).readonly().optional()
    .describe("The same as arguments, for a hypervisor that has not started yet"),
  notes: z.array(z.string()).readonly().describe("What whoever plays the steps has to know"),
}).openapi("DeviceRendering", {
  example: RENDERING_EXAMPLE,
  description: "How a hypervisor is told to plug a device and to take it out",
});
