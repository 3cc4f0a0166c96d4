import { z } from "@hono/zod-openapi";
import {
  DRIVER_OPTION_CHARS_MAX,
  DRIVER_OPTIONS_MAX,
  LIST_ITEMS_MAX,
  MAP_KEYS_MAX,
  PATH_BYTES_MAX,
  SECONDARY_DEVICE_CHARS_MAX,
} from "../core/limits.ts";
import { ANONYMOUS_KINDS } from "../devices/anonymous/identity.ts";
import { DEVICE_DRIVERS, DEVICE_FILE_TYPES } from "../devices/resolve/device_kinds.ts";
import { DEVICE_INFO_EXAMPLE } from "./device_examples.ts";
import { Limit, Name, pageView, U32, U64, U64Text, wordOf } from "./scalars.ts";

const ANONYMOUS_KIND =
  "`simple`: it hands out inode numbers; `multi`: it maps files of other devices";

/** `POST /v1/devices/anonymous`. */
export const AnonymousDeviceBody = z.strictObject({
  kind: wordOf(ANONYMOUS_KINDS).describe(ANONYMOUS_KIND),
  name: Name.optional().describe("What people call it; not unique"),
}).openapi("AnonymousDeviceRequest", {
  example: { kind: "multi", name: "layers" },
  description: "A device number without hardware",
});

/** An anonymous device as it is shown. */
export const AnonymousDeviceView = z.object({
  id: z.string().openapi({ example: "anon-1", description: "Its id, which has its minor" }),
  kind: z.enum(ANONYMOUS_KINDS).describe(ANONYMOUS_KIND),
  name: z.string().optional().describe("What people call it"),
  major: U64Text.describe("Always 0: it has no driver"),
  minor: U64Text.describe("Its minor, which no other device has"),
  deviceId: U64Text.describe("Both in one number, as stat() shows it"),
  last: U64Text.openapi({ description: "The number handed out last; 0 for none" }),
  mappings: z.int().optional().openapi({ description: "How many mappings a multi device has" }),
}).openapi("AnonymousDevice", {
  example: {
    id: "anon-1",
    kind: "multi",
    name: "layers",
    major: "0",
    minor: "1",
    deviceId: "1",
    last: "1",
    mappings: 1,
  },
  description: "A device number without hardware",
});

/** `{id}` of an anonymous device. */
export const DeviceParam = z.object({
  id: z.string().openapi({ example: "anon-1", description: "Id of the device" }),
});

/** An inode number handed out. */
export const InodeView = z.object({
  inode: U64Text.describe("The number, which is never handed out again"),
}).openapi("InodeNumber", { description: "An inode number of a simple device" });

const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u;

/**
 * A device behind another. Control characters would forge lines of the text form, and half a
 * surrogate pair would not survive being stored.
 */
export const SecondaryDevice = z.string().max(SECONDARY_DEVICE_CHARS_MAX)
  .refine((text) => !UNPRINTABLE.test(text), "must be without control characters");

const KEY = {
  itself: "What names a file in a device of the host",
  device: "Number of the device that the file is on",
  secondaryDevice: "A device behind that one; empty for none",
  inode: "Number of the file on its device",
} as const;

/** What names a file in a device of the host. */
const MappingKeyBody = z.strictObject({
  device: U64.describe(KEY.device),
  secondaryDevice: SecondaryDevice.default("").describe(KEY.secondaryDevice),
  inode: U64.describe(KEY.inode),
}).openapi("MappingKeyRequest", {
  example: { device: "2049", inode: "131074" },
  description: KEY.itself,
});

/** `POST /v1/devices/{id}/mappings`. */
export const MapBody = z.strictObject({
  keys: z.array(MappingKeyBody).max(MAP_KEYS_MAX).describe("The files to map"),
}).openapi("MapRequest", { description: "Files that are to have a virtual inode each" });

/** `PUT /v1/devices/{id}/mappings/{virtualInode}`. */
export const LoadBody = z.strictObject({ key: MappingKeyBody })
  .openapi("LoadRequest", { description: "The file that is to have a given virtual inode" });

const VIRTUAL_INODE = "The number under which the device shows the file";

/** `{id}` and `{virtualInode}` of a mapping. */
export const MappingParam = DeviceParam.extend({
  virtualInode: U64.openapi({ description: VIRTUAL_INODE, example: "1" }),
});

/** A mapping's key as it is shown; without a secondary device where it has none. */
const MappingKeyView = z.object({
  device: U64Text.describe(KEY.device),
  secondaryDevice: z.string().optional().describe("A device behind that one"),
  inode: U64Text.describe(KEY.inode),
}).openapi("MappingKey", { example: { device: "2049", inode: "131074" }, description: KEY.itself });

const MappingMembers = { key: MappingKeyView, virtualInode: U64Text.describe(VIRTUAL_INODE) };

/** A mapping as it is shown. */
export const MappingView = z.object(MappingMembers)
  .openapi("Mapping", { description: "A file and its virtual inode" });

/** The mappings of the keys asked for, in their order. */
export const MapView = z.object({
  items: z.array(z.object({
    ...MappingMembers,
    created: z.boolean().describe("Whether the number is new; a known file keeps its own"),
  })).describe("The mappings, in the order of the request"),
}).openapi("Mapped", { description: "The mappings of the files that were asked for" });

/** `?limit=&cursor=` of the mappings. Without a limit the text form has all of them. */
export const MappingsQuery = z.strictObject({
  limit: Limit.unwrap().openapi({
    type: "integer",
    minimum: 1,
    maximum: LIST_ITEMS_MAX,
    example: LIST_ITEMS_MAX,
    description: "How many items the page has at most. Without it the text form has all of them",
  }),
  cursor: U64.optional().openapi({
    type: "string",
    example: "17",
    description: "`next` of the page before; the first page goes without",
  }),
});

/** A page of mappings in ascending order of their virtual inodes. */
export const MappingList = pageView(MappingView)
  .openapi("MappingList", { description: "A page of mappings" });

/** A path of the host. Half a surrogate pair would not survive, and a zero byte ends a path. */
export const HostPath = z.string().max(PATH_BYTES_MAX)
  .refine((text) => !UNPRINTABLE.test(text), "must be without control characters");

const OptionText = z.string().max(DRIVER_OPTION_CHARS_MAX)
  .refine((text) => text.isWellFormed(), "must be well-formed text");

/** Members that a device's info has, both as it is sent and as it is shown. */
export const INFO = {
  containerPath: "Path of the device in the container",
  type: "Type of the device file: character, unbuffered character, block, or FIFO",
  major: "Major of the device",
  minor: "Minor of the device",
  pmem: "Whether it is persistent memory: the host path is then the file behind it",
  fileMode: "Permission bits of the device file in the container",
  uid: "Owner of the device file in the container",
  gid: "Group of the device file in the container",
  driverOptions: "Words for the driver, such as `block-driver`",
} as const;

/** A host device as its caller knows it (Kata's DeviceInfo). */
export const DeviceInfoBody = z.strictObject({
  containerPath: HostPath.min(1).describe(INFO.containerPath),
  hostPath: HostPath.optional().describe(
    "Path on the host of the file behind persistent memory; of other devices it is found",
  ),
  type: wordOf(DEVICE_FILE_TYPES).describe(INFO.type),
  major: U64.describe(INFO.major),
  minor: U64.describe(INFO.minor),
  pmem: z.boolean().optional().describe(INFO.pmem),
  fileMode: U32.optional().describe(INFO.fileMode),
  uid: U32.optional().describe(INFO.uid),
  gid: U32.optional().describe(INFO.gid),
  driverOptions: z.record(OptionText, OptionText)
    .refine(
      (options) => Object.keys(options).length <= DRIVER_OPTIONS_MAX,
      `must have at most ${DRIVER_OPTIONS_MAX} members`,
    ).optional().describe(INFO.driverOptions),
}).openapi("DeviceInfo", {
  example: DEVICE_INFO_EXAMPLE,
  description: "A device of the host as its caller knows it",
});

/** What a device is on the host. */
export const ResolvedDeviceView = z.object({
  driver: z.enum(DEVICE_DRIVERS).describe("How it is passed on to a virtual machine"),
  hostPath: z.string().describe("Its path on the host"),
  backingFile: z.string().optional().describe("The file behind a loop device"),
  evidence: z.array(z.string()).readonly().openapi({
    description: "Every path of the host that was read",
  }),
}).openapi("ResolvedDevice", {
  example: { driver: "block", hostPath: "/dev/sda", evidence: ["/sys/dev/block/8:0/uevent"] },
  description: "What a device is on the host",
});
