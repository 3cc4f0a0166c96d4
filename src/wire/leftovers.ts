import { z } from "@hono/zod-openapi";
import { RangeView } from "./inode_ranges.ts";
import { Limit, Name, pageQuery, pageView, U64, U64Text } from "./scalars.ts";

const ID = "Id of the inode that they were written to";

/** The unsaved bytes that a path names. */
export const LeftoverParam = z.object({
  id: Name.openapi({ description: ID, example: "5f0c9a3b" }),
});

/** A range of them. */
export const LeftoverRangeParam = LeftoverParam.extend({
  range: z.string().openapi({
    description: "FIRST-LAST, both inclusive: bytes that are all unsaved",
    example: "4096-4099",
  }),
});

/** `?limit=&cursor=` of all that was left. */
export const LeftoversQuery = z.strictObject(pageQuery(256));

/** `?limit=&cursor=` of the ranges of one. The cursor is an offset. */
export const LeftoverRangesQuery = z.strictObject({
  limit: Limit,
  cursor: U64.optional().openapi({
    example: "4096",
    description: "`next` of the page before; the first page goes without",
  }),
});

const LeftoverShape = {
  id: z.string().describe(ID),
  root: z.string().describe("Name of the root below which the file was opened"),
  path: z.string().describe("Path by which it was opened"),
  dirtyBytes: U64Text.describe("How many bytes are unsaved"),
  reason: z.string().describe("Why they could not be written to the file"),
};

const LEFTOVER = {
  id: "5f0c9a3b",
  root: "images",
  path: "images/kernel",
  dirtyBytes: "4096",
  reason: "the file was changed by somebody else",
};

/** Unsaved bytes of one file. */
export const LeftoverView = z.object({
  ...LeftoverShape,
  ranges: z.array(RangeView).describe("Which bytes they are, by offset"),
  next: z.string().optional().describe("`cursor` of the next ranges; the last page has none"),
}).openapi("Leftover", {
  example: { ...LEFTOVER, ranges: [{ offset: "0", length: "4096" }] },
  description: "Bytes that an earlier process acknowledged and left unsaved",
});

/** A page of all that was left. */
export const LeftoverListView = pageView(z.object(LeftoverShape)).openapi("LeftoverList", {
  example: { items: [LEFTOVER] },
  description: "A page of what earlier processes left unsaved",
});

/** What `POST …/retry` takes. */
export const RetryBody = z.strictObject({
  force: z.boolean().default(false)
    .describe("Whether to write over what somebody else has written to the file since"),
}).openapi("RetryRequest", { description: "How unsaved bytes are to be written" });

/** What became of them. */
export const RetriedView = z.object({
  outcome: z.enum(["restored", "discarded", "kept"]).describe(
    "`restored`: they are in the file; `discarded`: the host was started anew, so they cannot be " +
      "trusted; `kept`: it failed again",
  ),
  reason: z.string().optional().describe("Why they are not in the file"),
}).openapi("Retried", {
  example: { outcome: "restored" },
  description: "What became of unsaved bytes",
});
