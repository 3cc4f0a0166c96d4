import { z } from "@hono/zod-openapi";
import { Fault, type FaultCode } from "../../src/core/faults.ts";
import { PAGE_BYTES } from "../../src/core/limits.ts";
import type { CachingInode } from "../../src/inodes/content/caching_inode.ts";
import type { ChangeOptions } from "../../src/inodes/content/editor.ts";
import { inodeNotFound } from "../../src/inodes/content/inode_gate.ts";
import type { InodeStore } from "../../src/inodes/store/store.ts";
import { rangeOfPath } from "../../src/wire/http/byte_range.ts";
import { matchingTags } from "../../src/wire/http/conditions.ts";
import { boundaryOf, byteParts } from "../../src/wire/http/multipart.ts";
import { bytesOf, requireOctets } from "../../src/wire/http/octets.ts";
import {
  DurableQuery,
  EvictBody,
  EvictedView,
  PagesQuery,
  PagesView,
} from "../../src/wire/inode_ranges.ts";
import { InodeParam, InodeRangeParam } from "../../src/wire/inodes.ts";
import { faultOf, Name } from "../../src/wire/scalars.ts";
import { BYTE_RANGES, BYTES, bytes, json, jsonBody } from "../http/openapi.ts";
import { dataResponse } from "./bytes.ts";
import { CHANGE_FAULTS, endpoint, ifMatchHeader, rangeOf, rangeView } from "./views.ts";

const WRITE_FAULTS: readonly FaultCode[] = ["wrong-length", "cache-full", ...CHANGE_FAULTS];

const readData = endpoint({
  method: "get",
  path: "/v1/inodes/{i}/data",
  summary: "Read the content, or a range of it",
  needs: "read",
  isReadByHand: true,
  request: {
    params: InodeParam,
    headers: z.object({
      range: z.string().optional(),
      "if-range": z.string().optional(),
      "if-match": z.string().optional(),
      "if-none-match": z.string().optional(),
    }),
  },
  responses: {
    200: bytes("All of it"),
    206: { description: "The range, or several of them", content: { ...BYTES, ...BYTE_RANGES } },
    304: { description: "It is what If-None-Match names" },
  },
  faults: [
    "inode-not-found",
    "inode-stale",
    "range-not-satisfiable",
    "backing-changed",
    "backing-failed",
  ],
}).handle((c, store) =>
  dataResponse(inodeAt(store, c.req.param("i")), (name) => c.req.header(name))
);

/** @throws {Fault} `bad-name`, `inode-not-found` */
function inodeAt(store: InodeStore, id: string): CachingInode {
  const inode = store.find(id);
  if (inode !== undefined) return inode;
  const { error } = Name.safeParse(id);
  throw error === undefined ? inodeNotFound(id) : faultOf(error, "param");
}

const replaceData = endpoint({
  method: "put",
  path: "/v1/inodes/{i}/data",
  summary: "Replace the whole content",
  needs: "write",
  request: {
    params: InodeParam,
    query: DurableQuery,
    headers: ifMatchHeader,
    body: { required: true, content: BYTES },
  },
  responses: { 204: { description: "It is replaced" } },
  faults: WRITE_FAULTS,
}).handle(async (c, store) => {
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
});

const writeRange = endpoint({
  method: "put",
  path: "/v1/inodes/{i}/ranges/{range}",
  summary: "Write a range of the content, FIRST-LAST, both inclusive",
  needs: "write",
  request: {
    params: InodeRangeParam,
    query: DurableQuery,
    headers: ifMatchHeader,
    body: { required: true, content: BYTES },
  },
  responses: { 204: { description: "It is written" } },
  faults: WRITE_FAULTS,
}).handle(async (c, store) => {
  const { i, range } = c.req.valid("param");
  const { start, end } = rangeOfPath(range);
  const inode = store.inode(i);
  requireOctets(c.req.header("content-type"));
  using body = await store.receive(c.req.raw.body, end - start);
  await inode.write(body, start, optionsOf(c.req.valid("query"), c.req.valid("header")));
  return c.body(null, 204);
});

const writeRanges = endpoint({
  method: "patch",
  path: "/v1/inodes/{i}/data",
  summary: "Write several ranges, all of them or none",
  needs: "write",
  request: {
    params: InodeParam,
    query: DurableQuery,
    headers: ifMatchHeader,
    body: { required: true, content: BYTE_RANGES },
  },
  responses: { 204: { description: "All of them are written" } },
  faults: WRITE_FAULTS,
}).handle(async (c, store) => {
  const inode = store.inode(c.req.valid("param").i);
  const boundary = boundaryOf(c.req.header("content-type"));
  const parts = byteParts(await bytesOf(c.req.raw), boundary);
  await inode.writeParts(parts, optionsOf(c.req.valid("query"), c.req.valid("header")));
  return c.body(null, 204);
});

function optionsOf(
  { durable }: { durable: boolean },
  { "if-match": ifMatch }: { "if-match"?: string | undefined },
): ChangeOptions {
  return { isDurable: durable, ifMatch: matchingTags(ifMatch) };
}

const syncInode = endpoint({
  method: "post",
  path: "/v1/inodes/{i}/sync",
  summary: "Bring all that was written to stable storage",
  needs: "write",
  request: { params: InodeParam },
  responses: { 204: { description: "All of it is there" } },
  faults: ["inode-not-found", "backing-changed", "backing-failed", "backing-full"],
}).handle(async (c, store) => {
  await store.inode(c.req.valid("param").i).sync();
  return c.body(null, 204);
});

const evictPages = endpoint({
  method: "post",
  path: "/v1/inodes/{i}/evict",
  summary: "Drop cached pages, after their write-back",
  needs: "write",
  request: { params: InodeParam, body: jsonBody(EvictBody) },
  responses: { 200: json(EvictedView, "What was dropped, and what had to stay") },
  faults: ["inode-not-found"],
}).handle(async (c, store) => {
  const ranges = c.req.valid("json").ranges?.map(rangeOf);
  const { bytes, refused } = await store.inode(c.req.valid("param").i).evict(ranges);
  return c.json({
    evictedBytes: String(bytes),
    refused: refused.map(({ range, why }) => ({ range: rangeView(range), why })),
  }, 200);
});

const listPages = endpoint({
  method: "get",
  path: "/v1/inodes/{i}/pages",
  summary: "Show which pages are cached, and in what state",
  needs: "read",
  request: { params: InodeParam, query: PagesQuery },
  responses: { 200: json(PagesView, "Runs of pages, by offset") },
  faults: ["inode-not-found", "backing-failed"],
}).handle((c, store) => {
  const { limit, cursor = 0n } = c.req.valid("query");
  const inode = store.inode(c.req.valid("param").i);
  const runs = inode.pages().filter(({ start }) => start >= cursor);
  return c.json({
    pageBytes: PAGE_BYTES,
    size: String(inode.size),
    items: runs.slice(0, limit).map((run) => ({
      ...rangeView(run),
      state: run.state,
      mapped: run.isMapped,
    })),
    next: runs[limit]?.start.toString(),
  }, 200);
});

/** The bytes of an inode, and what is done with its cached pages. */
export const dataEndpoints = [
  ...[readData, replaceData, writeRange, writeRanges, syncInode, evictPages, listPages],
];
