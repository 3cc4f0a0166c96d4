import { z } from "@hono/zod-openapi";
import { MAPPINGS_MAX } from "../core/limits.ts";
import { ANONYMOUS_KINDS } from "../devices/anonymous/identity.ts";
import type { Mapping } from "../devices/anonymous/mapping.ts";
import { IMAGE_VERSION, RESTORE_MODES } from "../devices/image_form.ts";
import { DEVICE_IMAGE_EXAMPLE } from "./device_examples.ts";
import { HostDeviceRecordBody } from "./host_devices.ts";
import { SecondaryDevice } from "./devices.ts";
import { Name, refuse, U64Text, wordOf } from "./scalars.ts";

const DECIMAL = /^(?:0|[1-9][0-9]{0,19})$/;
const U64_END = 1n << 64n;

const TUPLE_DOC = {
  type: "array" as const,
  description: "The mappings of a multi device",
  items: {
    type: "array" as const,
    items: { type: "string" as const },
    minItems: 4,
    maxItems: 4,
    description: "device, secondary device, inode, virtual inode",
  },
};

/**
 * Mappings as tuples of text. They are read by hand, because an image may have millions of them: a
 * schema for each would take longer than all the rest.
 */
const Mappings = z.custom<readonly unknown[]>(Array.isArray, "must be an array").transform(
  (tuples, ctx): Mapping[] => {
    if (tuples.length > MAPPINGS_MAX) {
      const message = `must be at most ${MAPPINGS_MAX}: received ${tuples.length}`;
      return refuse(ctx, message, "mappings-exhausted");
    }
    const mappings: Mapping[] = [];
    for (const [at, tuple] of tuples.entries()) {
      const mapping = readTuple(tuple);
      if (mapping === undefined) {
        const message = "must be [device, secondaryDevice, inode, virtualInode] as text";
        return refuse(ctx, message, "malformed-request", [at]);
      }
      mappings.push(mapping);
    }
    return mappings;
  },
).openapi(TUPLE_DOC);

function readTuple(tuple: unknown): Mapping | undefined {
  if (!Array.isArray(tuple) || tuple.length !== 4) return undefined;
  const [device, secondaryDevice, inode, virtualInode] = tuple.map((item, at) =>
    at === 1 ? item : readU64(item)
  );
  if (device === undefined || inode === undefined || virtualInode === undefined) return undefined;
  if (typeof secondaryDevice !== "string") return undefined;
  if (secondaryDevice !== "" && !SecondaryDevice.safeParse(secondaryDevice).success) {
    return undefined;
  }
  return { key: { device, secondaryDevice, inode }, virtualInode };
}

function readU64(item: unknown): bigint | undefined {
  if (typeof item !== "string" || !DECIMAL.test(item)) return undefined;
  const number = BigInt(item);
  return number < U64_END ? number : undefined;
}

const MEMBERS = {
  version: "Version of the form of the image",
  anonymous: "The devices without hardware",
  lastMinor: "The minor that was handed out last",
  devices: "The devices, by minor",
  kind: "`simple`: it hands out inode numbers; `multi`: it maps files of other devices",
  minor: "Its minor",
  name: "What people call it",
  last: "The number that it handed out last",
  retired: "Freed numbers, which are used again only when all others are used up",
  host: "The devices of the host, in every sandbox",
} as const;

const Number64 = U64Text.max(20).transform((text, ctx) =>
  readU64(text) ?? refuse(ctx, "must be below 2^64", "value-not-allowed")
).openapi({ type: "string" });

/** Refuses the version of an image before its members, which another version has differently. */
function requireVersion(image: unknown, ctx: z.RefinementCtx): unknown {
  const version = (image as { version?: unknown } | null)?.version;
  if (Number.isInteger(version) && version !== IMAGE_VERSION) {
    const message = `must be ${IMAGE_VERSION}: this Innkeeper knows no other: received ${version}`;
    refuse(ctx, message, "image-version", ["version"]);
  }
  return image;
}

/** `PUT /v1/devices/image`: what `GET` gave. */
export const DeviceImageBody = z.preprocess(
  requireVersion,
  z.strictObject({
    version: z.int().openapi({ enum: [IMAGE_VERSION], description: MEMBERS.version }),
    anonymous: z.strictObject({
      lastMinor: Number64.describe(MEMBERS.lastMinor),
      devices: z.array(z.strictObject({
        kind: z.enum(ANONYMOUS_KINDS).describe(MEMBERS.kind),
        minor: Number64.describe(MEMBERS.minor),
        name: Name.optional().describe(MEMBERS.name),
        last: Number64.describe(MEMBERS.last),
        mappings: Mappings,
        retired: z.array(Number64).describe(MEMBERS.retired),
      })).describe(MEMBERS.devices),
    }).describe(MEMBERS.anonymous),
    host: z.array(HostDeviceRecordBody).describe(MEMBERS.host),
  }).openapi("DeviceImageRequest", {
    example: DEVICE_IMAGE_EXAMPLE,
    description: "What a registry is to be restored from",
  }),
);

/** `GET /v1/devices/image`: every number and every plug. */
export const DeviceImageView = z.object({
  version: z.literal(IMAGE_VERSION).describe(MEMBERS.version),
  anonymous: z.object({
    lastMinor: U64Text.describe(MEMBERS.lastMinor),
    devices: z.array(z.object({
      kind: z.enum(ANONYMOUS_KINDS).describe(MEMBERS.kind),
      minor: U64Text.describe(MEMBERS.minor),
      name: z.string().optional().describe(MEMBERS.name),
      last: U64Text.describe(MEMBERS.last),
      mappings: z.array(z.array(z.string())).openapi(TUPLE_DOC),
      retired: z.array(U64Text).describe(MEMBERS.retired),
    })).describe(MEMBERS.devices),
  }).describe(MEMBERS.anonymous),
  host: z.array(HostDeviceRecordBody).describe(MEMBERS.host),
}).openapi("DeviceImage", {
  example: DEVICE_IMAGE_EXAMPLE,
  description: "Every number and every plug, all of one moment",
});

/** `?mode=` of a restore. */
export const RestoreQuery = z.strictObject({
  mode: wordOf(RESTORE_MODES).openapi({
    example: "match",
    description: "`match`: the registry has the same devices; `load`: it has none",
  }),
});
