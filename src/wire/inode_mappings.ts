import { z } from "@hono/zod-openapi";
import { RangeBody, RangeView } from "./inode_ranges.ts";
import { Flag, Name, pageView, refuse, U64, U64Text, wordOf } from "./scalars.ts";

const MappingMembers = {
  space: Name,
  address: U64,
  length: U64,
  offset: U64,
  writable: z.boolean(),
};

/** What `POST …/mappings` takes: a mapping, or a copy of one at another address. */
export const MappingBody = z.strictObject({
  space: Name.optional(),
  address: U64,
  length: U64.optional(),
  offset: U64.optional(),
  writable: z.boolean().optional(),
  copyOf: z.strictObject(MappingMembers).optional(),
}).openapi("InodeMappingRequest").transform((body, ctx) => {
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
  writable: Flag,
});

/** What `POST …/translate` takes; without `optional` only what is required is translated. */
export const TranslateBody = z.strictObject({
  required: RangeBody,
  optional: RangeBody.optional(),
  access: wordOf(["read", "write"]),
  holder: Name,
}).openapi("InodeTranslateRequest");

/** A mapping of an inode. */
export const MappingView = RangeView.extend({
  space: z.string(),
  address: U64Text,
  writable: z.boolean(),
}).openapi("InodeMapping");

/** The mappings of an inode. */
export const MappingListView = pageView(MappingView).openapi("InodeMappingList");

/** What `POST …/mappings` answers. */
export const MappedView = z.object({
  newlyMapped: z.array(RangeView).openapi({ description: "Ranges that nobody had mapped before" }),
}).openapi("InodeMapped");

/** What `DELETE …/mappings` answers. */
export const UnmappedView = z.object({
  noLongerMapped: z.array(RangeView).openapi({ description: "Ranges that nobody maps any more" }),
}).openapi("InodeUnmapped");

/** What `POST …/translate` answers. */
export const TranslatedView = z.object({
  translations: z.array(z.object({
    source: RangeView,
    file: z.string().openapi({ description: "The file to map, on this host" }),
    offset: U64Text,
    permissions: z.enum(["read", "read-write"]),
  })),
  busError: z.object({
    offset: U64Text.openapi({ description: "An access from here on is a bus error" }),
    code: z.string().openapi({ description: "`end-of-file`, or the code of a problem" }),
    detail: z.string(),
  }).optional(),
}).openapi("InodeTranslated");
