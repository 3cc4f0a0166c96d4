import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { Fault } from "../../src/core/faults.ts";
import { PAGE_BYTES } from "../../src/core/limits.ts";
import {
  type CachingInode,
  type ChangeOptions,
  inodeNotFound,
} from "../../src/inodes/store/caching_inode.ts";
import type { InodeStore } from "../../src/inodes/store/store.ts";
import { rangeOfPath } from "../../src/wire/http/byte_range.ts";
import { Durable, EvictBody, EvictedView, PagesView } from "../../src/wire/inodes.ts";
import { faultOf, Limit, Name, U64 } from "../../src/wire/scalars.ts";
import { boundaryOf, byteParts } from "../../src/wire/http/multipart.ts";
import { bytesOf, requireOctets } from "../http/octets.ts";
import type { Env } from "../http/env.ts";
import { dataResponse } from "./bytes.ts";
import { entityTags, rangeView } from "./views.ts";
import {
  bytePartsBody,
  bytes,
  bytesBody,
  json,
  jsonBody,
  needs,
  newRoutes,
  problems,
} from "../http/openapi.ts";

const params = z.object({ i: Name });
const durable = z.strictObject({ durable: Durable });
const ifMatch = z.object({ "if-match": z.string().optional() });
const tags = ["inodes"];

/** Faults of every write. */
const WRITES = [
  "inode-not-found",
  "inode-read-only",
  "inode-stale",
  "file-not-permitted",
  "wrong-length",
  "cache-full",
  "backing-changed",
  "backing-failed",
  "backing-full",
  "root-read-only",
] as const;

/** The one route that is read by hand, not by its schema: it is called more than all others. */
const READ = createRoute({
  method: "get",
  path: "/v1/inodes/{i}/data",
  tags,
  summary: "Read the content, or a range of it",
  middleware: [needs("read")],
  request: {
    params,
    headers: z.object({
      range: z.string().optional(),
      "if-range": z.string().optional(),
      "if-match": z.string().optional(),
      "if-none-match": z.string().optional(),
    }),
  },
  responses: {
    200: bytes("All of it"),
    206: {
      description: "The range, or several of them",
      content: {
        ...bytes("").content,
        "multipart/byteranges": bytePartsBody().content["multipart/byteranges"],
      },
    },
    304: { description: "It is what If-None-Match names" },
    ...problems(
      "inode-not-found",
      "inode-stale",
      "range-not-satisfiable",
      "backing-changed",
      "backing-failed",
    ),
  },
});

/** The bytes of an inode and what is done with its cached pages. */
export function inodeDataRoutes(store: InodeStore): OpenAPIHono<Env> {
  const routes = newRoutes();

  routes.openAPIRegistry.registerPath(READ);
  routes.get(READ.getRoutingPath(), needs("read"), (c) => {
    const { req } = c;
    return dataResponse(inodeAt(store, req.param("i") ?? ""), {
      range: req.header("range"),
      ifRange: req.header("if-range"),
      ifMatch: req.header("if-match"),
      ifNoneMatch: req.header("if-none-match"),
    });
  });

  routes.openapi(
    createRoute({
      method: "put",
      path: "/v1/inodes/{i}/data",
      tags,
      summary: "Replace the whole content",
      middleware: [needs("write")],
      request: { params, query: durable, headers: ifMatch, body: bytesBody() },
      responses: { 204: { description: "It is replaced" }, ...problems(...WRITES) },
    }),
    async (c) => {
      const inode = store.inode(c.req.valid("param").i);
      requireOctets(c.req.header("content-type"));
      if (c.req.header("content-range") !== undefined) {
        throw new Fault(
          "malformed-request",
          "Cannot replace the content by a PUT with Content-Range: PUT …/ranges/FIRST-LAST writes " +
            "a part (RFC 9110 section 14.5)",
        );
      }
      using body = await store.receive(c.req.raw.body);
      await inode.replace(body, optionsOf(c.req.valid("query"), c.req.valid("header")));
      return c.body(null, 204);
    },
  );

  routes.openapi(
    createRoute({
      method: "put",
      path: "/v1/inodes/{i}/ranges/{range}",
      tags,
      summary: "Write a range of the content, FIRST-LAST, both inclusive",
      middleware: [needs("write")],
      request: {
        params: params.extend({ range: z.string().openapi({ example: "4096-4099" }) }),
        query: durable,
        headers: ifMatch,
        body: bytesBody(),
      },
      responses: { 204: { description: "It is written" }, ...problems(...WRITES) },
    }),
    async (c) => {
      const { i, range } = c.req.valid("param");
      const { start, end } = rangeOfPath(range);
      const inode = store.inode(i);
      requireOctets(c.req.header("content-type"));
      using body = await store.receive(c.req.raw.body, end - start);
      await inode.write(body, start, optionsOf(c.req.valid("query"), c.req.valid("header")));
      return c.body(null, 204);
    },
  );

  routes.openapi(
    createRoute({
      method: "patch",
      path: "/v1/inodes/{i}/data",
      tags,
      summary: "Write several ranges, all of them or none",
      middleware: [needs("write")],
      request: { params, query: durable, headers: ifMatch, body: bytePartsBody() },
      responses: { 204: { description: "All of them are written" }, ...problems(...WRITES) },
    }),
    async (c) => {
      const inode = store.inode(c.req.valid("param").i);
      const boundary = boundaryOf(c.req.header("content-type"));
      const parts = byteParts(await bytesOf(c.req.raw), boundary);
      await inode.writeParts(parts, optionsOf(c.req.valid("query"), c.req.valid("header")));
      return c.body(null, 204);
    },
  );

  routes.openapi(
    createRoute({
      method: "post",
      path: "/v1/inodes/{i}/sync",
      tags,
      summary: "Bring all that was written to stable storage",
      middleware: [needs("write")],
      request: { params },
      responses: {
        204: { description: "All of it is there" },
        ...problems("inode-not-found", "backing-changed", "backing-failed", "backing-full"),
      },
    }),
    async (c) => {
      await store.inode(c.req.valid("param").i).sync();
      return c.body(null, 204);
    },
  );

  routes.openapi(
    createRoute({
      method: "post",
      path: "/v1/inodes/{i}/evict",
      tags,
      summary: "Drop cached pages, after their write-back",
      middleware: [needs("write")],
      request: { params, body: jsonBody(EvictBody) },
      responses: {
        200: json(EvictedView, "What was dropped, and what had to stay"),
        ...problems("inode-not-found"),
      },
    }),
    async (c) => {
      const ranges = c.req.valid("json").ranges?.map(({ offset, length }) => ({
        start: offset,
        end: offset + length,
      }));
      const { bytes, refused } = await store.inode(c.req.valid("param").i).evict(ranges);
      return c.json({
        evictedBytes: String(bytes),
        refused: refused.map(({ range, why }) => ({ range: rangeView(range), why })),
      }, 200);
    },
  );

  routes.openapi(
    createRoute({
      method: "get",
      path: "/v1/inodes/{i}/pages",
      tags,
      summary: "Show which pages are cached, and in what state",
      middleware: [needs("read")],
      request: { params, query: z.strictObject({ limit: Limit, cursor: U64.optional() }) },
      responses: {
        200: json(PagesView, "Runs of pages, by offset"),
        ...problems("inode-not-found", "backing-failed"),
      },
    }),
    (c) => {
      const { limit, cursor = 0n } = c.req.valid("query");
      const inode = store.inode(c.req.valid("param").i);
      const runs = inode.pages().filter(({ start }) => start >= cursor);
      const next = runs[limit]?.start;
      return c.json({
        pageBytes: PAGE_BYTES,
        size: String(inode.size),
        items: runs.slice(0, limit).map((run) => ({
          ...rangeView(run),
          state: run.state,
          mapped: run.isMapped,
        })),
        ...(next === undefined ? {} : { next: String(next) }),
      }, 200);
    },
  );

  return routes;
}

/** @throws {Fault} `bad-name`, `inode-not-found` */
function inodeAt(store: InodeStore, id: string): CachingInode {
  const inode = store.find(id);
  if (inode !== undefined) return inode;
  const { error } = Name.safeParse(id);
  throw error === undefined ? inodeNotFound(id) : faultOf(error, "param");
}

function optionsOf(
  { durable }: { durable: boolean },
  { "if-match": header }: { "if-match"?: string | undefined },
): ChangeOptions {
  return { isDurable: durable, ifMatch: entityTags(header) };
}
