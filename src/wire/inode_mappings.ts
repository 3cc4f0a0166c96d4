import { z } from "@hono/zod-openapi";
import { RangeBody, RangeShape, RangeView } from "./inode_ranges.ts";
import { Flag, Name, pageView, refuse, U64, U64Text, wordOf } from "./scalars.ts";

const MAPPING = {
  space: "Name of the address space",
  address: "Where in the address space it begins",
  length: "How many bytes are mapped",
  offset: "Where in the content they begin",
  writable: "Whether they are mapped for writing",
} as const;

const MappingMembers = {
  space: Name.describe(MAPPING.space),
  address: U64.describe(MAPPING.address),
  length: U64.describe(MAPPING.length),
  offset: U64.describe(MAPPING.offset),
  writable: z.boolean().describe(MAPPING.writable),
};

/** What `POST …/mappings` takes: a mapping, or a copy of one at another address. */
export const MappingBody = z.strictObject({
  space: Name.optional().describe(MAPPING.space),
  address: U64.describe(MAPPING.address),
  length: U64.optional().describe(MAPPING.length),
  offset: U64.optional().describe(MAPPING.offset),
  writable: z.boolean().optional().describe(MAPPING.writable),
  copyOf: z.strictObject(MappingMembers).optional()
    .describe("A mapping to copy to the address; all other members are left out then"),
}).openapi("InodeMappingRequest", {
  example: { space: "vm-7", address: "1048576", length: "4096", offset: "0", writable: true },
  description: "A mapping, or a copy of one at another address",
}).transform((body, ctx) => {
  const { copyOf, address, ...place } = body;
  const { space, length, offset, writable } = place;
  if (copyOf !== undefined && Object.values(place).every((member) => member === undefined)) {
    return { copyOf, address };
  }
  if (
    copyOf === undefined && space !== undefined && length !== undefined && offset !== undefined &&
    writable !== undefined
  ) return { space, address, length, offset, writable };
  return refuse(
    ctx,
    "space, address, length, offset and writable are needed, or copyOf and address",
  );
});

/** The query that names a mapping to remove. */
export const MappingQuery = z.strictObject({
  ...MappingMembers,
  writable: Flag.describe(MAPPING.writable),
});

/** What `POST …/translate` takes; without `optional` only what is required is translated. */
export const TranslateBody = z.strictObject({
  required: RangeBody,
  optional: RangeBody.optional().openapi({
    description: "What may be translated besides; nothing when it is left out",
  }),
  access: wordOf(["read", "write"]).describe("What is to be done with the bytes"),
  holder: Name.describe("The holder of the inode who asks"),
}).openapi("InodeTranslateRequest", {
  example: { required: { offset: "0", length: "4096" }, access: "read", holder: "vm-7" },
  description: "Mapped bytes that are to be found",
});

/** A mapping of an inode. */
export const MappingView = z.object({
  ...RangeShape,
  space: z.string().describe(MAPPING.space),
  address: U64Text.describe(MAPPING.address),
  writable: z.boolean().describe(MAPPING.writable),
}).openapi("InodeMapping", {
  example: { space: "vm-7", address: "1048576", offset: "0", length: "4096", writable: true },
  description: "A range that an address space has mapped",
});

/** The mappings of an inode. */
export const MappingListView = pageView(MappingView)
  .openapi("InodeMappingList", { description: "A page of mappings" });

/** What `POST …/mappings` answers. */
export const MappedView = z.object({
  newlyMapped: z.array(RangeView).openapi({ description: "Ranges that nobody had mapped before" }),
}).openapi("InodeMapped", { description: "What a mapping has changed" });

/** What `DELETE …/mappings` answers. */
export const UnmappedView = z.object({
  noLongerMapped: z.array(RangeView).openapi({ description: "Ranges that nobody maps any more" }),
}).openapi("InodeUnmapped", { description: "What the end of a mapping has changed" });

/** What `POST …/translate` answers. */
export const TranslatedView = z.object({
  translations: z.array(z.object({
    source: RangeView.describe("A range of the content"),
    file: z.string().openapi({ description: "The file to map, on this host" }),
    identity: z.object({
      deviceMajor: z.int().describe("Major number of the device that the file is on"),
      deviceMinor: z.int().describe("Minor number of that device"),
      inode: U64Text.describe("Number of the file on that device"),
    }).describe(
      "Which file it must be: compare with fstat(2) after opening, since a path can be led elsewhere",
    ),
    offset: U64Text.describe("Where in that file the range begins"),
    permissions: z.enum(["read", "read-write"]).describe("How the file may be mapped"),
  })).describe("Where the bytes are, by offset"),
  busError: z.object({
    offset: U64Text.openapi({ description: "An access from here on is a bus error" }),
    code: z.string().openapi({ description: "`end-of-file`, or the code of a problem" }),
    detail: z.string().describe("The same for people"),
  }).optional().describe("What ends the translation before its time"),
}).openapi("InodeTranslated", {
  example: {
    translations: [{
      source: { offset: "0", length: "4096" },
      file: "/var/lib/innkeeper/cache/5f0c9a3be2d1",
      identity: { deviceMajor: 8, deviceMinor: 1, inode: "131074" },
      offset: "0",
      permissions: "read",
    }],
  },
  description: "Which file has mapped bytes, and where",
});
