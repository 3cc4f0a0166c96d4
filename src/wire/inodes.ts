import { z } from "@hono/zod-openapi";
import { INODE_LEASE_MS_MAX, PATH_BYTES_MAX, U32_MAX } from "../core/limits.ts";
import { ACCESS_MODES, CREATE_MODES } from "../core/ports/root_folder.ts";
import { wallNsOf } from "./time.ts";
import { CACHE_MODES } from "../inodes/backing/cache_modes.ts";
import { Flag, Name, pageQuery, pageView, refuse, Time, U64, U64Text, wordOf } from "./scalars.ts";

/** A user or group. The largest number is not one: chown(2) reads it as "leave as it is". */
const OwnerId = z.int().min(0).max(U32_MAX - 1);

const LeaseMs = z.int().min(1).max(INODE_LEASE_MS_MAX).openapi({
  description: "The hold ends when no open of the same holder renews it for so long",
});

const INODE = {
  root: "Name of the root below which the file is",
  path: "Path of the file below its root",
  access: "What the holders may do with the content",
  cache: "`host`: the host's page cache; `own`: pages kept by Innkeeper",
  permissions: "Permission bits of the file, as a number",
  uid: "User who owns the file",
  gid: "Group of the file",
  accessTime: "When the content was read last",
  modificationTime: "When the content was changed last",
} as const;

/** What `POST /v1/inodes` takes: a file below a root, or a remote one by its URL. */
export const InodeRequestBody = z.strictObject({
  root: Name.optional().openapi({ description: INODE.root, example: "images" }),
  path: z.string().optional().openapi({ description: INODE.path, example: "images/kernel" }),
  access: wordOf(ACCESS_MODES).optional().describe(INODE.access),
  cache: wordOf(CACHE_MODES).optional().describe(INODE.cache),
  create: wordOf(CREATE_MODES).optional()
    .describe("Whether to make the file; `never` when it is left out"),
  permissions: z.int().min(0).max(0o777).optional()
    .describe("Permission bits of a file that is made, as a number; 0644 when it is left out"),
  noatime: z.boolean().optional().describe("Whether reads leave the access time as it is"),
  limitTranslation: z.boolean().optional()
    .describe("Whether a translation takes no more than was asked for"),
  url: z.string().max(PATH_BYTES_MAX).optional()
    .describe("Address of a remote file, which goes without all other members of a file"),
  holder: Name.openapi({ description: "Who holds the inode open", example: "vm-7" }),
  leaseMs: LeaseMs.optional(),
}).openapi("InodeRequest", {
  example: { root: "images", path: "images/kernel", access: "rw", cache: "own", holder: "vm-7" },
  description: "A file below a root, or a remote one",
}).transform(
  (body, ctx) => {
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
    const { create = "never", permissions = 0o644, noatime = false, limitTranslation = false } =
      file;
    return {
      ...{ root, path, access, cache, holder, leaseMs },
      ...{ create, permissions, noatime, limitTranslation },
    };
  },
);

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
  size: U64.optional().describe("The new size in bytes; new bytes are zeros"),
  permissions: z.int().min(0).max(0o7777).optional().describe(INODE.permissions),
  uid: OwnerId.optional().describe(INODE.uid),
  gid: OwnerId.optional().describe(INODE.gid),
  accessTime: FileTime.optional().describe(`${INODE.accessTime}, or \`now\``),
  modificationTime: FileTime.optional().describe(`${INODE.modificationTime}, or \`now\``),
}).openapi("InodePatch", {
  example: { size: "8192", modificationTime: "now" },
  description: "What is to change; the rest stays",
});

/** What `POST …/touch` takes. */
export const TouchBody = z.strictObject({
  access: z.boolean().optional().describe("Set the access time"),
  modification: z.boolean().optional().describe("Set the modification time"),
  status: z.boolean().optional().describe("Set the time of the last change of status"),
}).openapi("InodeTouch", {
  example: { modification: true },
  description: "Which times are to be set to now",
});

const NEW_NAME = "Path of the name below the root";

/** What `POST …/links` takes. */
export const LinkBody = z.strictObject({
  path: z.string().openapi({ description: NEW_NAME, example: "images/kernel-6.12" }),
}).openapi("InodeLink", { description: "Another name of the file" });

/** `?path=` of a name to take away. */
export const LinkQuery = z.strictObject({
  path: z.string().openapi({ description: NEW_NAME, example: "images/kernel-6.12" }),
});

/** What `POST …/revalidate` answers. */
export const RevalidatedView = z.object({
  changed: z.boolean().describe("Whether the file was changed from outside"),
}).openapi("InodeRevalidated", { description: "What a look at the backing file has found" });

/** `?discard=` of an invalidate: whether to drop what cannot be written back. */
export const DiscardQuery = z.strictObject({
  discard: Flag.default(false).describe("Whether to drop what cannot be written back"),
});

/** `{i}`, the id of an inode. */
export const InodeParam = z.object({
  i: Name.openapi({ description: "Id of the inode", example: "5f0c9a3be2d1" }),
});

/** `{i}` and `{h}`, a holder of an inode. */
export const InodeHolderParam = InodeParam.extend({
  h: Name.describe("Name of the holder"),
});

/** `{i}` and `{range}`, a range of the content. */
export const InodeRangeParam = InodeParam.extend({
  range: z.string().openapi({ description: "FIRST-LAST, both inclusive", example: "4096-4099" }),
});

const Count = z.int().min(0).openapi({ example: 3 });

const BYTES = {
  resident: "Bytes in the cache",
  dirty: "Bytes that are newer in the cache than in the backing file",
} as const;

const Counted = {
  hits: Count.openapi({ description: "Reads answered from memory at once" }),
  misses: Count.openapi({ description: "Reads that waited for the backing file" }),
  fills: Count.describe("Reads of the backing file that brought pages into the cache"),
  evictedBytes: Count.describe("Bytes that have left the cache to make room"),
  writeBacks: Count.describe("Writes of dirty bytes to the backing file"),
  errors: Count.describe("Calls to the backing file that failed"),
  residentBytes: U64Text.describe(BYTES.resident),
  dirtyBytes: U64Text.describe(BYTES.dirty),
  mappedBytes: U64Text.describe("Bytes that somebody has mapped"),
  referencedBytes: U64Text.openapi({ description: "Bytes that translations keep in the cache" }),
  mappedChunks: Count.openapi({ description: "Chunks of 2 MiB in which something is mapped" }),
  holders: Count.describe("Holders"),
};

/** An open inode. */
export const InodeView = z.object({
  id: z.string().openapi({ example: "5f0c9a3be2d1", description: "Its id" }),
  root: z.string().optional().openapi({ description: "None for a remote inode" }),
  path: z.string().describe("Path below its root, or the address of a remote file"),
  access: z.enum(ACCESS_MODES).describe(INODE.access),
  cache: z.enum(CACHE_MODES).describe(INODE.cache),
  etag: z.string().optional().describe(
    "Entity tag of the content, for `If-Match`; none while it is being changed or mapped for writing",
  ),
  device: U64Text.describe("Number of the device that the backing file is on"),
  inode: U64Text.describe("Number of the backing file on its device"),
  size: U64Text.describe("Size of the content in bytes"),
  usage: U64Text.openapi({ description: "Bytes of storage that the backing file takes up" }),
  permissions: z.int().describe(INODE.permissions),
  uid: z.int().describe(INODE.uid),
  gid: z.int().describe(INODE.gid),
  accessTime: Time.describe(INODE.accessTime),
  modificationTime: Time.describe(INODE.modificationTime),
  statusChangeTime: Time.describe("When the file itself was changed last"),
  links: Count.describe("How many names the file has"),
  dirty: z.array(z.string()).readonly().openapi({
    description: "Attributes not in the backing file yet",
  }),
  residentBytes: U64Text.describe(BYTES.resident),
  dirtyBytes: U64Text.describe(BYTES.dirty),
  holders: z.array(z.string()).describe("Who holds it open"),
  failure: z.object({
    code: z.string().describe("Code of the problem"),
    detail: z.string().describe("The same for people"),
  }).optional().openapi({
    description: "Why the last write-back or sync failed, until one succeeds",
  }),
}).openapi("Inode", {
  example: {
    id: "5f0c9a3be2d1",
    root: "images",
    path: "images/kernel",
    access: "rw",
    cache: "own",
    device: "2049",
    inode: "131074",
    size: "8192",
    usage: "8192",
    permissions: 0o644,
    uid: 1000,
    gid: 1000,
    accessTime: "2026-11-20T12:00:00.000000001Z",
    modificationTime: "2026-11-20T12:00:00.000000001Z",
    statusChangeTime: "2026-11-20T12:00:00.000000001Z",
    links: 1,
    dirty: [],
    residentBytes: "8192",
    dirtyBytes: "4096",
    holders: ["vm-7"],
  },
  description: "An open file, shared by everybody who opened it",
});

/** `?limit=&cursor=` of a list of inodes or mappings. */
export const InodesQuery = z.strictObject(pageQuery(256));

/** The open inodes. */
export const InodeListView = pageView(InodeView)
  .openapi("InodeList", { description: "A page of inodes" });

/** The figures of one inode. */
export const InodeStatsView = z.object(Counted)
  .openapi("InodeStats", { description: "The figures of an inode since it was opened" });

/** The figures of all inodes. */
export const InodesStatsView = z.object({
  ...Counted,
  inodes: Count.describe("Open inodes"),
  cacheLimitBytes: U64Text.describe("How many bytes the cache may hold"),
}).openapi("InodesStats", { description: "The figures of all inodes together" });
