import { z } from "@hono/zod-openapi";
import { INODE_LEASE_MS_MAX, PATH_BYTES_MAX, U32_MAX } from "../core/limits.ts";
import { ACCESS_MODES, CREATE_MODES } from "../core/ports/root_folder.ts";
import { wallNsOf } from "./time.ts";
import { CACHE_MODES } from "../inodes/backing/cache_modes.ts";
import { Flag, Name, pageQuery, pageView, refuse, U64, U64Text, wordOf } from "./scalars.ts";

/** A user or group. The largest number is not one: chown(2) reads it as "leave as it is". */
const OwnerId = z.int().min(0).max(U32_MAX - 1);

const LeaseMs = z.int().min(1).max(INODE_LEASE_MS_MAX).openapi({
  description: "The hold ends when no open of the same holder renews it for so long",
});

/** What `POST /v1/inodes` takes: a file below a root, or a remote one by its URL. */
export const InodeRequestBody = z.strictObject({
  root: Name.optional(),
  path: z.string().optional().openapi({ example: "images/kernel" }),
  access: wordOf(ACCESS_MODES).optional(),
  cache: wordOf(CACHE_MODES).optional(),
  create: wordOf(CREATE_MODES).optional(),
  permissions: z.int().min(0).max(0o777).optional(),
  noatime: z.boolean().optional(),
  limitTranslation: z.boolean().optional(),
  url: z.string().max(PATH_BYTES_MAX).optional(),
  holder: Name,
  leaseMs: LeaseMs.optional(),
}).openapi("InodeRequest").transform((body, ctx) => {
  const { url, holder, leaseMs, ...file } = body;
  if (url !== undefined) {
    const [other] = Object.entries(file).filter(([, value]) => value !== undefined);
    return other === undefined
      ? { url, holder, leaseMs }
      : refuse(ctx, `url goes without ${other[0]}`);
  }
  const { root, path, access, cache } = file;
  if (root === undefined || path === undefined || access === undefined || cache === undefined) {
    return refuse(ctx, "root, path, access and cache are needed, or url");
  }
  const { create = "never", permissions = 0o644, noatime = false, limitTranslation = false } = file;
  return {
    ...{ root, path, access, cache, holder, leaseMs },
    ...{ create, permissions, noatime, limitTranslation },
  };
});

/** A time of a file: RFC 3339, or `now`. */
const FileTime = z.string().transform((text, ctx): bigint | "now" => {
  const timeNs = text === "now" ? text : wallNsOf(text);
  if (timeNs !== undefined) return timeNs;
  const received = JSON.stringify(text.slice(0, 40));
  const message = `must be "now" or an RFC 3339 time: received ${received}`;
  return refuse(ctx, message, "value-not-allowed");
}).openapi({ type: "string", example: "2026-11-20T12:00:00.000000001Z" });

/** What `PATCH /v1/inodes/{i}` takes: a merge-patch of what can be set. */
export const InodePatchBody = z.strictObject({
  size: U64.optional(),
  permissions: z.int().min(0).max(0o7777).optional(),
  uid: OwnerId.optional(),
  gid: OwnerId.optional(),
  accessTime: FileTime.optional(),
  modificationTime: FileTime.optional(),
}).openapi("InodePatch");

/** What `POST …/touch` takes. */
export const TouchBody = z.strictObject({
  access: z.boolean().optional(),
  modification: z.boolean().optional(),
  status: z.boolean().optional(),
}).openapi("InodeTouch");

/** What `POST …/links` takes. */
export const LinkBody = z.strictObject({ path: z.string() }).openapi("InodeLink");

/** What `POST …/revalidate` answers. */
export const RevalidatedView = z.object({ changed: z.boolean() }).openapi("InodeRevalidated");

/** `?discard=` of an invalidate: whether to drop what cannot be written back. */
export const DiscardQuery = z.strictObject({ discard: Flag.default(false) });

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
  mappedBytes: U64Text,
  referencedBytes: U64Text.openapi({ description: "Bytes that translations keep in the cache" }),
  mappedChunks: Count.openapi({ description: "Chunks of 2 MiB in which something is mapped" }),
  holders: Count,
};

/** An open inode. */
export const InodeView = z.object({
  id: z.string().openapi({ example: "5f0c9a3be2d1" }),
  root: z.string().optional().openapi({ description: "None for a remote inode" }),
  path: z.string(),
  access: z.enum(ACCESS_MODES),
  cache: z.enum(CACHE_MODES).openapi({
    description: "`host`: the host's page cache; `own`: pages kept by Innkeeper",
  }),
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
  dirty: z.array(z.string()).readonly().openapi({
    description: "Attributes not in the backing file yet",
  }),
  residentBytes: U64Text,
  dirtyBytes: U64Text,
  holders: z.array(z.string()),
  failure: z.object({ code: z.string(), detail: z.string() }).optional().openapi({
    description: "Why the last write-back or sync failed, until one succeeds",
  }),
}).openapi("Inode");

/** `?limit=&cursor=` of a list of inodes or mappings. */
export const InodesQuery = z.strictObject(pageQuery(256));

/** The open inodes. */
export const InodeListView = pageView(InodeView).openapi("InodeList");

/** The figures of one inode. */
export const InodeStatsView = z.object(Counted).openapi("InodeStats");

/** The figures of all inodes. */
export const InodesStatsView = z.object({
  ...Counted,
  inodes: Count,
  cacheLimitBytes: U64Text,
}).openapi("InodesStats");
