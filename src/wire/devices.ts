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
import { Limit, Name, pageView, U32, U64, U64Text, wordOf } from "./scalars.ts";

/** `POST /v1/devices/anonymous`. */
export const AnonymousDeviceBody = z.strictObject({
  kind: wordOf(ANONYMOUS_KINDS),
  name: Name.optional(),
}).openapi("AnonymousDeviceRequest");

/** An anonymous device as it is shown. */
export const AnonymousDeviceView = z.object({
  id: z.string().openapi({ example: "anon-1" }),
  kind: z.enum(ANONYMOUS_KINDS),
  name: z.string().optional(),
  major: U64Text,
  minor: U64Text,
  deviceId: U64Text,
  last: U64Text.openapi({ description: "The number handed out last; 0 for none" }),
  mappings: z.int().optional().openapi({ description: "Of a multi device" }),
}).openapi("AnonymousDevice");

/** `{id}` of an anonymous device. */
export const DeviceParam = z.object({ id: z.string().openapi({ example: "anon-1" }) });

/** An inode number handed out. */
export const InodeView = z.object({ inode: U64Text }).openapi("InodeNumber");

const UNPRINTABLE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u;

/**
 * A device behind another. Control characters would forge lines of the text form, and half a
 * surrogate pair would not survive being stored.
 */
export const SecondaryDevice = z.string().max(SECONDARY_DEVICE_CHARS_MAX)
  .refine((text) => !UNPRINTABLE.test(text), "must be without control characters");

/** What names a file in a device of the host. */
const MappingKeyBody = z.strictObject({
  device: U64,
  secondaryDevice: SecondaryDevice.default(""),
  inode: U64,
}).openapi("MappingKeyRequest");

/** `POST /v1/devices/{id}/mappings`. */
export const MapBody = z.strictObject({
  keys: z.array(MappingKeyBody).max(MAP_KEYS_MAX),
}).openapi("MapRequest");

/** `PUT /v1/devices/{id}/mappings/{virtualInode}`. */
export const LoadBody = z.strictObject({ key: MappingKeyBody }).openapi("LoadRequest");

/** `{id}` and `{virtualInode}` of a mapping. */
export const MappingParam = DeviceParam.extend({ virtualInode: U64 });

/** A mapping's key as it is shown; without a secondary device where it has none. */
const MappingKeyView = z.object({
  device: U64Text,
  secondaryDevice: z.string().optional(),
  inode: U64Text,
}).openapi("MappingKey");

/** A mapping as it is shown. */
export const MappingView = z.object({ key: MappingKeyView, virtualInode: U64Text })
  .openapi("Mapping");

/** The mappings of the keys asked for, in their order. */
export const MapView = z.object({
  items: z.array(MappingView.extend({ created: z.boolean() })),
}).openapi("Mapped");

/** `?limit=&cursor=` of the mappings. Without a limit the text form has all of them. */
export const MappingsQuery = z.strictObject({
  limit: Limit.unwrap().openapi({ type: "integer", minimum: 1, maximum: LIST_ITEMS_MAX }),
  cursor: U64.optional().openapi({ type: "string", description: "`next` of the page before" }),
});

/** A page of mappings in ascending order of their virtual inodes. */
export const MappingList = pageView(MappingView).openapi("MappingList");

/** A path of the host. Half a surrogate pair would not survive, and a zero byte ends a path. */
export const HostPath = z.string().max(PATH_BYTES_MAX)
  .refine((text) => !UNPRINTABLE.test(text), "must be without control characters");

const OptionText = z.string().max(DRIVER_OPTION_CHARS_MAX)
  .refine((text) => text.isWellFormed(), "must be well-formed text");

/** A host device as its caller knows it (Kata's DeviceInfo). */
export const DeviceInfoBody = z.strictObject({
  containerPath: HostPath.min(1),
  hostPath: HostPath.optional(),
  type: wordOf(DEVICE_FILE_TYPES),
  major: U64,
  minor: U64,
  pmem: z.boolean().optional(),
  fileMode: U32.optional(),
  uid: U32.optional(),
  gid: U32.optional(),
  driverOptions: z.record(OptionText, OptionText)
    .refine(
      (options) => Object.keys(options).length <= DRIVER_OPTIONS_MAX,
      `must have at most ${DRIVER_OPTIONS_MAX} members`,
    ).optional(),
}).openapi("DeviceInfo");

/** What a device is on the host. */
export const ResolvedDeviceView = z.object({
  driver: z.enum(DEVICE_DRIVERS),
  hostPath: z.string(),
  backingFile: z.string().optional(),
  evidence: z.array(z.string()).readonly().openapi({
    description: "Every path of the host that was read",
  }),
}).openapi("ResolvedDevice");
