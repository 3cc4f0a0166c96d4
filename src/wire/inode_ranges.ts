import { z } from "@hono/zod-openapi";
import { EVICT_RANGES_MAX } from "../core/limits.ts";
import { PAGE_STATES } from "../inodes/ranges/page_states.ts";
import { Flag, Limit, U64, U64Text } from "./scalars.ts";

/** A range of an inode, as requests name it. */
export const RangeBody = z.strictObject({ offset: U64, length: U64 }).openapi("InodeRange");

/** A range of an inode as it is shown. */
export const RangeView = z.object({ offset: U64Text, length: U64Text });

/** `?durable=` of a write: whether it is on stable storage before the answer. */
export const DurableQuery = z.strictObject({ durable: Flag.default(false) });

/** What `POST …/evict` takes; no ranges for all. */
export const EvictBody = z.strictObject({
  ranges: z.array(z.strictObject({ offset: U64, length: U64 })).max(EVICT_RANGES_MAX).optional(),
}).openapi("EvictRequest");

/** What `POST …/evict` answers. */
export const EvictedView = z.object({
  evictedBytes: U64Text,
  refused: z.array(z.object({ range: RangeView, why: z.string() })),
}).openapi("Evicted");

/** `?limit=&cursor=` of the cached pages. The cursor is an offset. */
export const PagesQuery = z.strictObject({ limit: Limit, cursor: U64.optional() });

/** The cached pages of an inode, as runs in one state. */
export const PagesView = z.object({
  pageBytes: z.int(),
  size: U64Text,
  items: z.array(RangeView.extend({
    state: z.enum(PAGE_STATES),
    mapped: z.boolean().openapi({ description: "It is mapped: it stays in the cache" }),
  })),
  next: z.string().optional(),
}).openapi("InodePages");
