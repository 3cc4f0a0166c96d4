import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { CachingInode, InodeStats } from "../../src/inodes/store/caching_inode.ts";
import type { InodeStore, StoreStats } from "../../src/inodes/store/store.ts";
import {
  InodeCursor,
  InodeListView,
  InodeRequestBody,
  InodesStatsView,
  InodeStatsView,
  InodeView,
} from "../../src/wire/inodes.ts";
import { Limit, Name } from "../../src/wire/scalars.ts";
import type { Env } from "../http/env.ts";
import { inodeAttributeRoutes } from "./attributes.ts";
import { inodeDataRoutes } from "./data.ts";
import { inodeMappingRoutes } from "./mappings.ts";
import { etagOf, inodeView } from "./views.ts";
import { pageOf } from "../http/pagination.ts";
import { json, jsonBody, needs, newRoutes, problems } from "../http/openapi.ts";

const params = z.object({ i: Name });
const tags = ["inodes"];

/** `/v1/inodes`: files of named roots, opened, shared, read and written by range. */
export function inodeRoutes(store: InodeStore): OpenAPIHono<Env> {
  const routes = newRoutes();

  routes.openapi(
    createRoute({
      method: "post",
      path: "/v1/inodes",
      tags,
      summary: "Open a file below a root, or share it when it is open already",
      middleware: [needs("write")],
      request: { body: jsonBody(InodeRequestBody) },
      responses: {
        201: json(InodeView, "It is open now"),
        200: json(InodeView, "It was open and is shared now"),
        ...problems(
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
        ),
      },
    }),
    async (c) => {
      const { inode, isNew } = await store.open(c.req.valid("json"));
      return c.json(inodeView(inode), isNew ? 201 : 200, etagOf(inode));
    },
  );

  routes.openapi(
    createRoute({
      method: "get",
      path: "/v1/inodes",
      tags,
      summary: "List open inodes",
      middleware: [needs("read")],
      request: { query: z.strictObject({ limit: Limit, cursor: InodeCursor }) },
      responses: {
        200: json(InodeListView, "A page of inodes, by id"),
        ...problems("backing-failed"),
      },
    }),
    (c) => {
      const { limit, cursor } = c.req.valid("query");
      const idOf = (inode: CachingInode) => inode.identity.id;
      return c.json(pageOf(store.list(), idOf, inodeView, limit, cursor), 200);
    },
  );

  routes.openapi(
    createRoute({
      method: "get",
      path: "/v1/inodes/stats",
      tags,
      summary: "Show the figures of all inodes together",
      middleware: [needs("read")],
      responses: { 200: json(InodesStatsView, "The figures"), ...problems() },
    }),
    (c) => {
      const stats = store.stats();
      return c.json({
        ...statsView(stats),
        inodes: stats.inodes,
        cacheLimitBytes: String(stats.cacheLimitBytes),
      }, 200);
    },
  );

  routes.openapi(
    createRoute({
      method: "get",
      path: "/v1/inodes/{i}",
      tags,
      summary: "Show an inode",
      middleware: [needs("read")],
      request: { params },
      responses: {
        200: json(InodeView, "The inode"),
        ...problems("inode-not-found", "backing-failed"),
      },
    }),
    (c) => {
      const inode = store.inode(c.req.valid("param").i);
      return c.json(inodeView(inode), 200, etagOf(inode));
    },
  );

  routes.openapi(
    createRoute({
      method: "get",
      path: "/v1/inodes/{i}/stats",
      tags,
      summary: "Show the figures of an inode",
      middleware: [needs("read")],
      request: { params },
      responses: { 200: json(InodeStatsView, "The figures"), ...problems("inode-not-found") },
    }),
    (c) => c.json(statsView(store.inode(c.req.valid("param").i).stats()), 200),
  );

  routes.openapi(
    createRoute({
      method: "delete",
      path: "/v1/inodes/{i}/holders/{h}",
      tags,
      summary: "End a hold; the last one writes back and closes",
      middleware: [needs("write")],
      request: { params: params.extend({ h: Name }) },
      responses: {
        204: { description: "It is ended" },
        ...problems(
          "inode-not-found",
          "holder-not-found",
          "backing-failed",
          "backing-full",
          "backing-changed",
          "inode-mapped",
        ),
      },
    }),
    async (c) => {
      const { i, h } = c.req.valid("param");
      await store.release(i, h);
      return c.body(null, 204);
    },
  );

  routes.route("/", inodeDataRoutes(store));
  routes.route("/", inodeAttributeRoutes(store));
  routes.route("/", inodeMappingRoutes(store));
  return routes;
}

function statsView(stats: InodeStats | StoreStats): z.input<typeof InodeStatsView> {
  const { hits, misses, fills, evictedBytes, writeBacks, errors, holders } = stats;
  return {
    hits,
    misses,
    fills,
    evictedBytes,
    writeBacks,
    errors,
    residentBytes: String(stats.residentBytes),
    dirtyBytes: String(stats.dirtyBytes),
    mappedBytes: String(stats.mappedBytes),
    referencedBytes: String(stats.referencedBytes),
    mappedChunks: stats.mappedChunks,
    holders,
  };
}
