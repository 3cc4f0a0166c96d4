import type { z } from "@hono/zod-openapi";
import type { CachingInode } from "../../src/inodes/content/caching_inode.ts";
import type { InodeStats } from "../../src/inodes/content/inode_facts.ts";
import type { InodeStore, StoreStats } from "../../src/inodes/store/store.ts";
import {
  InodeHolderParam,
  InodeListView,
  InodeParam,
  InodeRequestBody,
  InodesQuery,
  InodesStatsView,
  InodeStatsView,
  InodeView,
} from "../../src/wire/inodes.ts";
import { targetOf } from "../../src/inodes/content/inode_facts.ts";
import { Routes } from "../http/endpoint.ts";
import { json, jsonBody } from "../http/openapi.ts";
import { pageOf } from "../http/pagination.ts";
import { attributeEndpoints } from "./attributes.ts";
import { dataEndpoints } from "./data.ts";
import { leftoverEndpoints } from "./leftovers.ts";
import { mappingEndpoints } from "./mappings.ts";
import {
  endpoint,
  inodeView,
  onInode,
  permittedInode,
  REMOTE_FAULTS,
  taggedView,
} from "./views.ts";

const openInode = endpoint({
  method: "post",
  path: "/v1/inodes",
  operationId: "openInode",
  summary: "Open a file below a root, or share it when it is open already",
  description:
    "Whoever opens the same file shares one inode and its cache. `create` makes a file that is " +
    "missing. The holder keeps it open until it ends its hold or its lease runs out.",
  needs: {
    permission: "write",
    on: [{ kind: "roots", in: "body" }, { kind: "remotes", in: "body" }],
  },

  request: { body: jsonBody(InodeRequestBody) },
  responses: {
    201: json(InodeView, "It is open now", "ETag"),
    200: json(InodeView, "It was open and is shared now", "ETag"),
  },
  faults: [
    "root-not-found",
    "root-read-only",
    "outside-root",
    "file-not-found",
    "file-exists",
    "file-not-permitted",
    "not-a-file",
    "inode-mode-differs",
    "holders-exhausted",
    "open-inodes-exhausted",
    "backing-failed",
    "backing-full",
    ...REMOTE_FAULTS,
  ],
}).handle(async (c, store) => {
  const body = c.req.valid("json");
  const target = "url" in body ? targetOf({ path: body.url }) : targetOf(body);
  c.get("principal").require("write", target);
  const { inode, isNew } = await store.open(body);
  const [view, headers] = await taggedView(inode);
  return c.json(view, isNew ? 201 : 200, headers);
});

const listInodes = endpoint({
  method: "get",
  path: "/v1/inodes",
  operationId: "listInodes",
  summary: "List open inodes",
  description: "Lists open inodes by id, in pages.",
  needs: {
    permission: "read",
    on: [{ kind: "roots", in: "each item" }, { kind: "remotes", in: "each item" }],
  },

  request: { query: InodesQuery },
  responses: { 200: json(InodeListView, "A page of inodes, by id") },
  faults: ["backing-failed"],
}).handle((c, store) => {
  const idOf = (inode: CachingInode) => inode.identity.id;
  const principal = c.get("principal");
  const list = store.list().filter(({ identity }) => principal.may("read", targetOf(identity)));
  return c.json(pageOf(list, idOf, inodeView, c.req.valid("query"), c.get("seq")), 200);
});

const showAllStats = endpoint({
  method: "get",
  path: "/v1/inodes/stats",
  operationId: "showInodesStats",
  summary: "Show the figures of all inodes together",
  description: "Counts hits, misses, fills and bytes of all inodes since the start of the daemon.",
  needs: "read",
  responses: { 200: json(InodesStatsView, "The figures") },
  faults: [],
}).handle((c, store) => {
  const stats = store.stats();
  const { inodes, cacheLimitBytes } = stats;
  return c.json({ ...statsView(stats), inodes, cacheLimitBytes: String(cacheLimitBytes) }, 200);
});

const showInode = endpoint({
  method: "get",
  path: "/v1/inodes/{i}",
  operationId: "showInode",
  summary: "Show an inode",
  description:
    "Shows attributes of the file, how much of it is cached and dirty, and who holds it.",
  needs: onInode("read"),

  request: { params: InodeParam },
  responses: { 200: json(InodeView, "The inode", "ETag") },
  faults: ["inode-not-found", "backing-failed"],
}).handle(async (c, store) => {
  const [view, headers] = await taggedView(permittedInode(c, store, "read"));
  return c.json(view, 200, headers);
});

const showStats = endpoint({
  method: "get",
  path: "/v1/inodes/{i}/stats",
  operationId: "showInodeStats",
  summary: "Show the figures of an inode",
  description: "Counts hits, misses, fills and bytes of one inode since it was opened.",
  needs: onInode("read"),

  request: { params: InodeParam },
  responses: { 200: json(InodeStatsView, "The figures") },
  faults: ["inode-not-found"],
}).handle((c, store) => c.json(statsView(permittedInode(c, store, "read").stats()), 200));

const endHold = endpoint({
  method: "delete",
  path: "/v1/inodes/{i}/holders/{h}",
  operationId: "endHold",
  summary: "End a hold; the last one writes back and closes",
  description:
    "When the last holder goes, dirty bytes are written back and the file is closed. If that " +
    "fails, the hold stays.",
  needs: onInode("write"),

  request: { params: InodeHolderParam },
  responses: { 204: { description: "It is ended" } },
  faults: [
    "inode-not-found",
    "holder-not-found",
    "backing-failed",
    "backing-full",
    "backing-changed",
    "inode-mapped",
  ],
}).handle(async (c, store) => {
  const { identity } = permittedInode(c, store, "write");
  await store.release(identity.id, c.req.valid("param").h);
  return c.body(null, 204);
});

function statsView(stats: InodeStats | StoreStats): z.input<typeof InodeStatsView> {
  const { hits, misses, fills, evictedBytes, writeBacks, errors, mappedChunks, holders } = stats;
  return {
    ...{ hits, misses, fills, evictedBytes, writeBacks, errors, mappedChunks, holders },
    residentBytes: String(stats.residentBytes),
    dirtyBytes: String(stats.dirtyBytes),
    mappedBytes: String(stats.mappedBytes),
    referencedBytes: String(stats.referencedBytes),
  };
}

/** `/v1/inodes`: files of named roots, opened, shared, read and written by range. */
export function inodeRoutes(store: InodeStore): Routes {
  return new Routes().add([
    ...[openInode, listInodes, showAllStats, showInode, showStats, endHold],
    ...dataEndpoints,
    ...attributeEndpoints,
    ...mappingEndpoints,
    ...leftoverEndpoints,
  ], store);
}
