import { z } from "@hono/zod-openapi";
import { DEVICE_LEASE_MS_MAX } from "../core/limits.ts";
import { ANONYMOUS_KINDS } from "../devices/anonymous/identity.ts";
import { DEVICE_STATUSES } from "../devices/host/holder_leases.ts";
import { HYPERVISORS, PLUG_TIMES } from "../devices/render/rendering.ts";
import {
  BLOCK_DRIVERS,
  DEVICE_FILE_TYPES,
  HOST_DEVICE_KINDS,
  SHARED_FOLDER_TYPES,
  VFIO_DEVICE_TYPES,
  VHOST_USER_TYPES,
} from "../devices/resolve/device_kinds.ts";
import { AnonymousDeviceView, DeviceInfoBody, HostPath } from "./devices.ts";
import { Name, pageQuery, pageView, U32, U64Text, wordOf } from "./scalars.ts";

const MAC = /^[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5}$/;
/** A word that goes into a hypervisor's command: an address, a bus, an id. */
const Word = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}$/);
/** Virtio gives a file system's tag 36 bytes. */
const Tag = z.string().regex(/^[A-Za-z0-9_.-]{1,36}$/);
const AbsolutePath = HostPath.regex(/^\//);

/** `POST /v1/devices`. */
export const RegisterBody = DeviceInfoBody.extend({
  sandbox: Name.default("default"),
  kind: wordOf(HOST_DEVICE_KINDS).optional(),
  block: z.strictObject({
    format: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,31}$/).optional(),
    shareRw: z.boolean().optional(),
    readOnly: z.boolean().optional(),
  }).optional(),
  vhostUser: z.strictObject({
    type: wordOf(VHOST_USER_TYPES),
    socketPath: AbsolutePath,
    macAddress: z.string().regex(MAC).optional(),
    tag: Tag.optional(),
    cache: wordOf(["none", "auto", "always"]).optional(),
    cacheSize: U32.optional().openapi({ description: "MiB" }),
  }).optional(),
  rng: z.strictObject({ filename: AbsolutePath }).optional(),
  sharedFolder: z.strictObject({
    type: wordOf(SHARED_FOLDER_TYPES),
    source: AbsolutePath,
    tag: Tag,
    readOnly: z.boolean().optional(),
  }).optional(),
}).openapi("RegisterDeviceRequest");

/** `PATCH /v1/devices/{id}`: what the hypervisor reported. */
export const DeviceReportBody = z.strictObject({
  mmioAddr: Word.optional(),
  pciAddr: Word.optional(),
  nvdimmId: Word.optional(),
  devNo: Word.optional(),
}).openapi("DeviceReport");

/** `PUT /v1/devices/{id}/holders/{holder}`. */
export const HolderBody = z.strictObject({
  leaseMs: z.int().min(1).max(DEVICE_LEASE_MS_MAX).optional(),
}).openapi("DeviceHolderRequest");

/** `{id}` and `{holder}`. */
export const HolderParam = z.object({ id: z.string(), holder: Name });

/** `GET /v1/devices`. */
export const DevicesQuery = z.strictObject({
  kind: wordOf([...ANONYMOUS_KINDS, ...HOST_DEVICE_KINDS]).optional(),
  sandbox: Name.optional(),
  ...pageQuery(64),
});

/** `GET /v1/devices/{id}/render`. */
export const RenderQuery = z.strictObject({
  for: wordOf(HYPERVISORS),
  bus: Word.optional().openapi({ description: "Of the machine, such as `rp3`" }),
  addr: Word.optional().openapi({ description: "The slot on that bus" }),
});

const BlockShape = {
  driver: z.enum(BLOCK_DRIVERS),
  file: z.string(),
  format: z.string(),
  id: z.string(),
  index: z.int().min(0).optional(),
  mmioAddr: z.string().optional(),
  pciAddr: z.string().optional(),
  scsiAddr: z.string().optional(),
  nvdimmId: z.string().optional(),
  virtPath: z.string().optional(),
  devNo: z.string().optional(),
  shareRw: z.boolean(),
  readOnly: z.boolean(),
  pmem: z.boolean(),
  isDevice: z.boolean(),
  sizeBytes: U64Text.optional(),
};

const VfioShape = {
  id: z.string(),
  type: z.enum(VFIO_DEVICE_TYPES),
  isPcie: z.boolean(),
  bdf: z.string(),
  sysfsDev: z.string(),
  vendorId: z.string(),
  deviceId: z.string(),
  class: z.string(),
  bus: z.string().regex(/^(?:rp[0-9]{1,3})?$/),
  largeBar: z.boolean(),
};

const VhostUserShape = {
  devId: z.string(),
  socketPath: z.string(),
  type: z.enum(VHOST_USER_TYPES),
  macAddress: z.string().optional(),
  tag: z.string().optional(),
  cacheSize: U32.optional(),
  cache: z.string().optional(),
  pciAddr: z.string().optional(),
  index: z.int().min(0).optional(),
};

const RngShape = { id: z.string(), filename: z.string() };
const SharedFolderShape = {
  id: z.string(),
  source: z.string(),
  tag: z.string(),
  readOnly: z.boolean(),
};
const InfoShape = {
  containerPath: z.string(),
  hostPath: z.string(),
  type: z.enum(DEVICE_FILE_TYPES),
  major: U64Text,
  minor: U64Text,
  pmem: z.boolean().optional(),
  fileMode: U32.optional(),
  uid: U32.optional(),
  gid: U32.optional(),
  driverOptions: z.record(z.string(), z.string()).optional(),
};

/** A host device as an image holds it. */
export const HostDeviceRecordBody = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{16}$/),
  kind: z.enum(HOST_DEVICE_KINDS),
  sandbox: Name,
  info: z.strictObject(InfoShape),
  why: z.string(),
  createdNs: U64Text,
  holders: z.array(z.strictObject({
    name: Name,
    sinceNs: U64Text,
    leaseMs: z.int().min(1).max(DEVICE_LEASE_MS_MAX).optional(),
  })),
  block: z.strictObject(BlockShape).optional(),
  vfio: z.array(z.strictObject(VfioShape)).optional(),
  vhostUser: z.strictObject(VhostUserShape).optional(),
  rng: z.strictObject(RngShape).optional(),
  sharedFolder: z.strictObject(SharedFolderShape).optional(),
}).openapi("HostDeviceRecord");

/** A host device as it is shown. */
export const HostDeviceView = z.object({
  id: z.string().openapi({ example: "5f0c9a3be2d10044" }),
  kind: z.enum(HOST_DEVICE_KINDS),
  sandbox: z.string(),
  status: z.enum(DEVICE_STATUSES).openapi({
    description: "`idle`: nobody holds it; `lost`: the leases of all who do have run out",
  }),
  why: z.string().openapi({ description: "Why it is of this kind and has this driver" }),
  createdAt: z.iso.datetime({ precision: 9 }),
  info: z.object(InfoShape),
  holders: z.array(z.object({
    name: z.string(),
    since: z.iso.datetime({ precision: 9 }),
    state: z.enum(["held", "lost"]),
    leaseMs: z.int().optional(),
  })),
  block: z.object(BlockShape).optional(),
  vfio: z.array(z.object(VfioShape)).readonly().optional(),
  vhostUser: z.object(VhostUserShape).optional(),
  rng: z.object(RngShape).optional(),
  sharedFolder: z.object(SharedFolderShape).optional(),
}).openapi("HostDevice");

/** A device of either sort. */
export const DeviceView = z.union([HostDeviceView, AnonymousDeviceView]).openapi("Device");

/** A page of devices: those of the host by id, then the anonymous ones by minor. */
export const DeviceList = pageView(DeviceView).openapi("DeviceList");

const Json = z.record(z.string(), z.unknown());
const stepShapes = <Extra extends z.ZodRawShape>(extra: Extra) =>
  [
    z.object({
      type: z.literal("http"),
      method: z.enum(["PUT", "DELETE"]),
      path: z.string(),
      body: Json.optional(),
      ...extra,
    }),
    z.object({ type: z.literal("qmp"), execute: z.string(), arguments: Json, ...extra }),
    z.object({ type: z.literal("arguments"), arguments: z.array(z.string()).readonly(), ...extra }),
    z.object({ type: z.literal("command"), arguments: z.array(z.string()).readonly(), ...extra }),
    z.object({ type: z.literal("call"), function: z.string(), arguments: Json, ...extra }),
  ] as const;

/** How a device is plugged into a hypervisor and out of it. */
export const RenderingView = z.object({
  plug: z.enum(PLUG_TIMES).openapi({ description: "While it runs, or before it starts" }),
  steps: z.array(z.discriminatedUnion("type", stepShapes({}))).readonly(),
  undo: z.array(z.discriminatedUnion(
    "type",
    stepShapes({ undoes: z.int().openapi({ description: "Index of the step it takes back" }) }),
  )).readonly(),
  waitFor: z.array(z.object({
    afterUndo: z.int().openapi({ description: "Index of the step back that it ends" }),
    event: z.string(),
    data: z.record(z.string(), z.string()),
  })).readonly(),
  commandLine: z.array(z.string()).readonly().optional(),
  notes: z.array(z.string()).readonly(),
}).openapi("DeviceRendering");
