import { z } from "@hono/zod-openapi";
import { EVICT_RANGES_MAX } from "../core/limits.ts";
import { PAGE_STATES } from "../inodes/ranges/page_states.ts";
import { Flag, Limit, U64, U64Text } from "./scalars.ts";

const OFFSET = "Where it begins, in bytes";
const LENGTH = "How many bytes it has";

/** A range of an inode, as requests name it. */
export const RangeBody = z.strictObject({
  offset: U64.describe(OFFSET),
  length: U64.describe(LENGTH),
}).openapi("InodeRange", { description: "A range of the content" });

/** Members of a range of an inode as it is shown. */
export const RangeShape = { offset: U64Text.describe(OFFSET), length: U64Text.describe(LENGTH) };

/** A range of an inode as it is shown. */
export const RangeView = z.object(RangeShape);

/** `?durable=` of a write: whether it is on stable storage before the answer. */
export const DurableQuery = z.strictObject({
  durable: Flag.default(false)
    .describe("Whether it is to be on stable storage before the answer"),
});

/** What `POST …/evict` takes; no ranges for all. */
export const EvictBody = z.strictObject({
  ranges: z.array(z.strictObject({ offset: U64.describe(OFFSET), length: U64.describe(LENGTH) }))
    .max(EVICT_RANGES_MAX).optional().describe("What to evict; everything when it is left out"),
}).openapi("EvictRequest", { description: "What is to leave the cache" });

/** What `POST …/evict` answers. */
export const EvictedView = z.object({
  evictedBytes: U64Text.describe("How many bytes have left the cache"),
  refused: z.array(z.object({
    range: RangeView.describe("What had to stay"),
    why: z.string().describe("Why it had to"),
  })).describe("What had to stay, and why"),
}).openapi("Evicted", {
  example: {
    evictedBytes: "4096",
    refused: [{ range: { offset: "4096", length: "4096" }, why: "mapped" }],
  },
  description: "What has left the cache",
});

/** `?limit=&cursor=` of the cached pages. The cursor is an offset. */
export const PagesQuery = z.strictObject({
  limit: Limit,
  cursor: U64.optional().openapi({
    example: "4096",
    description: "`next` of the page before; the first page goes without",
  }),
});

/** The cached pages of an inode, as runs in one state. */
export const PagesView = z.object({
  pageBytes: z.int().describe("Size of a page in bytes"),
  size: U64Text.describe("Size of the content in bytes"),
  items: z.array(z.object({
    ...RangeShape,
    state: z.enum(PAGE_STATES).describe("Whether it is newer than the backing file"),
    mapped: z.boolean().openapi({ description: "It is mapped: it stays in the cache" }),
  })).describe("Runs of pages in one state, by offset"),
  next: z.string().optional().describe("`cursor` of the next page; the last page has none"),
}).openapi("InodePages", {
  example: {
    pageBytes: 4096,
    size: "8192",
    items: [{ offset: "0", length: "4096", state: "clean", mapped: false }],
  },
  description: "Which pages are cached, and in what state",
});
