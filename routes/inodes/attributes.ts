import type { FaultCode } from "../../src/core/faults.ts";
import type { TimeName } from "../../src/inodes/writeback/touched_times.ts";
import { preconditionsOf } from "../../src/wire/http/conditions.ts";
import { RangeBody } from "../../src/wire/inode_ranges.ts";
import {
  DiscardQuery,
  InodeParam,
  InodePatchBody,
  InodeView,
  LinkBody,
  LinkQuery,
  RevalidatedView,
  TouchBody,
} from "../../src/wire/inodes.ts";
import { json, jsonBody, patchBody } from "../http/openapi.ts";
import { CHANGE_FAULTS, endpoint, onInode, permittedInode, taggedView } from "./views.ts";

const DONE = { 204: { description: "It is done" } };

/** Faults of what names a path. */
const PATH_FAULTS: readonly FaultCode[] = [
  ...CHANGE_FAULTS,
  ...["outside-root", "file-not-found", "file-exists", "not-a-file"] as const,
];

const changeInode = endpoint({
  method: "patch",
  path: "/v1/inodes/{i}",
  operationId: "changeInode",
  summary: "Set the size, permissions, owner or times, in the backing file too",
  description:
    "Only the members that are named change. A new size cuts the content or fills it up with " +
    "zeros. `If-Match` and `If-None-Match` name tags of the content: the view's `etag` member.",
  needs: onInode("write"),
  request: { params: InodeParam, body: patchBody(InodePatchBody) },
  headers: ["If-Match", "If-None-Match"],
  responses: { 200: json(InodeView, "The inode as it is now", "ETag") },
  faults: [...CHANGE_FAULTS, "cache-full"],
}).handle(async (c, store) => {
  const inode = permittedInode(c, store, "write");
  const { size, accessTime, modificationTime, ...others } = c.req.valid("json");
  const nowNs = store.clock.wallNs();
  const timeOf = (time: bigint | "now" | undefined) => time === "now" ? nowNs : time;
  const change = {
    ...others,
    sizeBytes: size,
    accessTimeNs: timeOf(accessTime),
    modificationTimeNs: timeOf(modificationTime),
  };
  await inode.setAttributes(change, preconditionsOf((name) => c.req.header(name)));
  const [view, headers] = await taggedView(inode);
  return c.json(view, 200, headers);
});

const touchInode = endpoint({
  method: "post",
  path: "/v1/inodes/{i}/touch",
  operationId: "touchInode",
  summary: "Set cached times to now; a sync brings them to the backing file",
  description: "Sets times in the cache only, so that many touches cost one write.",
  needs: onInode("write"),

  request: { params: InodeParam, body: jsonBody(TouchBody) },
  responses: DONE,
  faults: ["inode-not-found"],
}).handle((c, store) => {
  const { access, modification, status } = c.req.valid("json");
  const names: TimeName[] = [];
  if (access === true) names.push("accessTime");
  if (modification === true) names.push("modificationTime");
  if (status === true) names.push("statusChangeTime");
  permittedInode(c, store, "write").touch(names);
  return c.body(null, 204);
});

const linkInode = endpoint({
  method: "post",
  path: "/v1/inodes/{i}/links",
  operationId: "linkInode",
  summary: "Give the file another name below its root",
  description: "Makes a hard link to the file, below the same root.",
  needs: onInode("write"),

  request: { params: InodeParam, body: jsonBody(LinkBody) },
  responses: { 201: { description: "It has the name" } },
  faults: PATH_FAULTS,
}).handle(async (c, store) => {
  await permittedInode(c, store, "write").link(c.req.valid("json").path);
  return c.body(null, 201);
});

const unlinkInode = endpoint({
  method: "delete",
  path: "/v1/inodes/{i}/links",
  operationId: "unlinkInode",
  summary: "Take a name of the file away; it stays open",
  description: "Removes a hard link. The open inode can still be read and written.",
  needs: onInode("write"),

  request: { params: InodeParam, query: LinkQuery },
  responses: DONE,
  faults: PATH_FAULTS,
}).handle(async (c, store) => {
  await permittedInode(c, store, "write").unlink(c.req.valid("query").path);
  return c.body(null, 204);
});

const allocateRange = endpoint({
  method: "post",
  path: "/v1/inodes/{i}/allocate",
  operationId: "allocateRange",
  summary: "Reserve storage for a range; the content is so long at least",
  description:
    "Reserves blocks of the backing file, so that later writes there cannot fail for want of " +
    "space.",
  needs: onInode("write"),

  request: { params: InodeParam, body: jsonBody(RangeBody) },
  responses: DONE,
  faults: CHANGE_FAULTS,
}).handle(async (c, store) => {
  const { offset, length } = c.req.valid("json");
  await permittedInode(c, store, "write").allocate(offset, length);
  return c.body(null, 204);
});

const revalidateInode = endpoint({
  method: "post",
  path: "/v1/inodes/{i}/revalidate",
  operationId: "revalidateInode",
  summary: "Take over what was changed from outside",
  description:
    "Looks at the backing file. When it was changed from outside, clean pages are dropped; when " +
    "there are dirty ones too, it is refused.",
  needs: onInode("write"),

  request: { params: InodeParam },
  responses: { 200: json(RevalidatedView, "Whether anything was") },
  faults: ["inode-not-found", "backing-changed", "backing-failed"],
}).handle(async (c, store) =>
  c.json({ changed: await permittedInode(c, store, "write").revalidate() }, 200)
);

const reopenInode = endpoint({
  method: "post",
  path: "/v1/inodes/{i}/reopen",
  operationId: "reopenInode",
  summary: "Open the file anew, perhaps another one by now, and end all translations",
  description:
    "Opens the path once more. When another file has it by now, the inode goes on with that " +
    "file.",
  needs: onInode("write"),

  request: { params: InodeParam },
  responses: DONE,
  faults: [...PATH_FAULTS, "inode-mode-differs"],
}).handle(async (c, store) => {
  await store.reopen(permittedInode(c, store, "write").identity.id);
  return c.body(null, 204);
});

const invalidateInode = endpoint({
  method: "post",
  path: "/v1/inodes/{i}/invalidate",
  operationId: "invalidateInode",
  summary: "End all translations, write back, or discard what cannot be, and drop the cache",
  description:
    "Whoever has translations must ask for new ones. With `discard=true` dirty bytes that cannot " +
    "be written back are lost; without it they make it fail.",
  needs: onInode("write"),

  request: { params: InodeParam, query: DiscardQuery },
  responses: DONE,
  faults: CHANGE_FAULTS,
}).handle(async (c, store) => {
  await permittedInode(c, store, "write").invalidate(c.req.valid("query").discard);
  return c.body(null, 204);
});

/** Attributes, names and freshness of an inode. */
export const attributeEndpoints = [
  ...[changeInode, touchInode, linkInode, unlinkInode],
  ...[allocateRange, revalidateInode, reopenInode, invalidateInode],
];
