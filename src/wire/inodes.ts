/** The inodes part of the API as zod schemas. */
import { z } from "@hono/zod-openapi";
import { EVICT_RANGES_MAX } from "../core/limits.ts";
import { Name, U64, U64Text } from "./scalars.ts";

const Access = z.enum(["ro", "rw"]);
const Cache = z.enum(["host", "own"]).openapi({
  description: "`host`: the host's page cache; `own`: pages kept by Innkeeper",
});

/** What `POST /v1/inodes` takes. */
export const InodeRequestBody = z.strictObject({
  root: Name,
  path: z.string().openapi({ example: "images/kernel" }),
  access: Access,
  cache: Cache,
  create: z.enum(["never", "if-missing", "exclusive"]).default("never"),
  permissions: z.int().min(0).max(0o777).default(0o644),
  holder: Name,
}).openapi("InodeRequest");

const Count = z.int().min(0);

const Counted = {
  hits: Count.openapi({ description: "Reads answered from memory at once" }),
  misses: Count.openapi({ description: "Reads that waited for the backing file" }),
  fills: Count,
  evictedBytes: Count,
  writeBacks: Count,
  errors: Count,
  residentBytes: U64Text,
  dirtyBytes: U64Text,
  holders: Count,
};

/** An open inode. */
export const InodeView = z.object({
  id: z.string().openapi({ example: "5f0c9a3be2d1" }),
  root: z.string(),
  path: z.string(),
  access: Access,
  cache: Cache,
  device: U64Text,
  inode: U64Text,
  size: U64Text,
  usage: U64Text.openapi({ description: "Bytes of storage that the backing file takes up" }),
  permissions: z.int(),
  uid: z.int(),
  gid: z.int(),
  accessTime: z.string(),
  modificationTime: z.string(),
  statusChangeTime: z.string(),
  links: Count,
  dirty: z.array(z.string()).openapi({ description: "Attributes not in the backing file yet" }),
  residentBytes: U64Text,
  dirtyBytes: U64Text,
  holders: z.array(z.string()),
  failure: z.object({ code: z.string(), detail: z.string() }).optional().openapi({
    description: "Why the last write-back or sync failed, until one succeeds",
  }),
}).openapi("Inode");

/** The open inodes. */
export const InodeListView = z.object({
  items: z.array(InodeView),
  next: z.string().optional(),
}).openapi("InodeList");

/** The figures of one inode. */
export const InodeStatsView = z.object(Counted).openapi("InodeStats");

/** The figures of all inodes. */
export const InodesStatsView = z.object({
  ...Counted,
  inodes: Count,
  cacheLimitBytes: U64Text,
}).openapi("InodesStats");

/** What `POST …/evict` takes; no ranges for all. */
export const EvictBody = z.strictObject({
  ranges: z.array(z.strictObject({ offset: U64, length: U64 })).max(EVICT_RANGES_MAX).optional(),
}).openapi("EvictRequest");

const RangeView = z.object({ offset: U64Text, length: U64Text });

/** What `POST …/evict` answers. */
export const EvictedView = z.object({
  evictedBytes: U64Text,
  refused: z.array(z.object({ range: RangeView, why: z.string() })),
}).openapi("Evicted");

/** The cached pages of an inode, as runs in one state. */
export const PagesView = z.object({
  pageBytes: z.int(),
  size: U64Text,
  items: z.array(RangeView.extend({ state: z.enum(["clean", "dirty", "kept-dirty"]) })),
  next: z.string().optional(),
}).openapi("InodePages");

/** `?durable=` of a write: whether it is on stable storage before the answer. */
export const Durable = z.enum(["true", "false"]).default("false").transform((text) =>
  text === "true"
).openapi({ type: "boolean" });

/** `?cursor=` of a list of inodes: the last id seen. */
export const InodeCursor = z.string().max(64).optional();
