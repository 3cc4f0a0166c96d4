import type { Context } from "hono";
import type { Env } from "../http/env.ts";
import { Fault, type FaultCode } from "../../src/core/faults.ts";
import { PAGE_BYTES } from "../../src/core/limits.ts";
import type { CachingInode } from "../../src/inodes/content/caching_inode.ts";
import type { ChangeOptions } from "../../src/inodes/content/editor.ts";
import type { InodeStore } from "../../src/inodes/store/store.ts";
import { rangeOfPath, requireSameRange } from "../../src/wire/http/byte_range.ts";
import { preconditionsOf } from "../../src/wire/http/conditions.ts";
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
import { answerHeaders } from "../http/headers.ts";
import { BYTE_RANGES, BYTES, bytes, empty, json, jsonBody } from "../http/openapi.ts";
import { dataResponse } from "./bytes.ts";
import {
  CHANGE_FAULTS,
  endpoint,
  etagHeader,
  onInode,
  permittedInode,
  rangeOf,
  rangeView,
  REMOTE_FAULTS,
} from "./views.ts";

const WRITE_FAULTS: readonly FaultCode[] = ["wrong-length", "cache-full", ...CHANGE_FAULTS];

const CONTENT_HEADERS = ["Accept-Ranges", "Cache-Status", "ETag"] as const;

const readData = endpoint({
  method: "get",
  path: "/v1/inodes/{i}/data",
  operationId: "readData",
  summary: "Read the content, or a range of it",
  description:
    "Cached bytes are answered from memory, others are read from the backing file first. Several " +
    "ranges are answered as `multipart/byteranges`.",
  needs: onInode("read"),

  isReadByHand: true,
  request: { params: InodeParam },
  headers: ["Range", "If-Range", "If-Match", "If-None-Match"],
  responses: {
    200: bytes("All of it", ...CONTENT_HEADERS),
    206: {
      description: "The range, or several of them",
      headers: answerHeaders("Content-Range", ...CONTENT_HEADERS),
      content: { ...BYTES, ...BYTE_RANGES },
    },
    304: empty("It is what If-None-Match names", "ETag"),
  },
  faults: [
    "inode-not-found",
    "inode-stale",
    "range-not-satisfiable",
    "backing-changed",
    "backing-failed",
    ...REMOTE_FAULTS,
  ],
}).handle((c, store) =>
  dataResponse(inodeAt(c, store), c.req.method, (name) => c.req.header(name))
);

/** @throws {Fault} `bad-name`, `inode-not-found` */
function inodeAt(c: Context<Env>, store: InodeStore): CachingInode {
  const { error } = store.find(c.req.param("i") ?? "") === undefined
    ? Name.safeParse(c.req.param("i"))
    : {};
  if (error !== undefined) throw faultOf(error, "param");
  return permittedInode(c, store, "read");
}

const replaceData = endpoint({
  method: "put",
  path: "/v1/inodes/{i}/data",
  operationId: "replaceData",
  summary: "Replace the whole content",
  description:
    "Who reads meanwhile may find a part of either, under no entity tag. A content that finds no " +
    "room is refused before the old one is touched; a failure later says how far it came.",
  needs: onInode("write"),

  request: {
    params: InodeParam,
    query: DurableQuery,
    body: { required: true, content: BYTES },
  },
  headers: ["If-Match", "If-None-Match"],
  responses: { 204: empty("It is replaced", "ETag") },
  faults: WRITE_FAULTS,
}).handle(async (c, store) => {
  const inode = permittedInode(c, store, "write");
  requireOctets((name) => c.req.header(name));
  if (c.req.header("content-range") !== undefined) {
    throw new Fault(
      "malformed-request",
      "Cannot replace the content by a PUT with Content-Range: PUT …/ranges/FIRST-LAST writes " +
        "a part (RFC 9110 section 14.5)",
    );
  }
  using body = await store.receive(c.req.raw.body);
  const etag = await inode.replace(body, optionsOf(c));
  return c.body(null, 204, etagHeader(etag));
});

const writeRange = endpoint({
  method: "put",
  path: "/v1/inodes/{i}/ranges/{range}",
  operationId: "writeRange",
  summary: "Write a range of the content, FIRST-LAST, both inclusive",
  description:
    "Writes to the cache, beyond the end too. The body has exactly as many bytes as the range. " +
    "With `durable=true` the answer comes when they are on stable storage.",
  needs: onInode("write"),

  request: {
    params: InodeRangeParam,
    query: DurableQuery,
    body: { required: true, content: BYTES },
  },
  headers: ["If-Match", "If-None-Match"],
  responses: { 204: empty("It is written", "ETag") },
  faults: WRITE_FAULTS,
}).handle(async (c, store) => {
  const { range } = c.req.valid("param");
  const { start, end } = rangeOfPath(range);
  requireSameRange(c.req.header("content-range"), { start, end });
  const inode = permittedInode(c, store, "write");
  requireOctets((name) => c.req.header(name));
  using body = await store.receive(c.req.raw.body, end - start);
  const etag = await inode.write(body, start, optionsOf(c));
  return c.body(null, 204, etagHeader(etag));
});

const writeRanges = endpoint({
  method: "patch",
  path: "/v1/inodes/{i}/data",
  operationId: "writeRanges",
  summary: "Write several ranges, all of them or none",
  description:
    "Takes `multipart/byteranges`, each part with its `Content-Range`. A reader sees all parts " +
    "or none.",
  needs: onInode("write"),

  request: {
    params: InodeParam,
    query: DurableQuery,
    body: { required: true, content: BYTE_RANGES },
  },
  headers: ["If-Match", "If-None-Match"],
  responses: { 204: empty("All of them are written", "ETag") },
  faults: WRITE_FAULTS,
}).handle(async (c, store) => {
  const inode = permittedInode(c, store, "write");
  const boundary = boundaryOf(c.req.header("content-type"));
  const parts = byteParts(await bytesOf(c.req.raw), boundary);
  const etag = await inode.writeParts(parts, optionsOf(c));
  return c.body(null, 204, etagHeader(etag));
});

function optionsOf({ req }: {
  readonly req: {
    header(name: string): string | undefined;
    valid(target: "query"): { readonly durable: boolean };
  };
}): ChangeOptions {
  const { durable } = req.valid("query");
  return { isDurable: durable, ...preconditionsOf((name) => req.header(name)) };
}

const syncInode = endpoint({
  method: "post",
  path: "/v1/inodes/{i}/sync",
  operationId: "syncInode",
  summary: "Bring all that was written to stable storage",
  description:
    "Writes back what is dirty and waits until the backing file has it on stable storage.",
  needs: onInode("write"),

  request: { params: InodeParam },
  responses: { 204: { description: "All of it is there" } },
  faults: ["inode-not-found", "backing-changed", "backing-failed", "backing-full"],
}).handle(async (c, store) => {
  await permittedInode(c, store, "write").sync();
  return c.body(null, 204);
});

const evictPages = endpoint({
  method: "post",
  path: "/v1/inodes/{i}/evict",
  operationId: "evictPages",
  summary: "Drop cached pages, after their write-back",
  description:
    "Dirty pages are written back first. Pages that are mapped or referenced stay, and the " +
    "answer names them.",
  needs: onInode("write"),

  request: { params: InodeParam, body: jsonBody(EvictBody) },
  responses: { 200: json(EvictedView, "What was dropped, and what had to stay") },
  faults: ["inode-not-found"],
}).handle(async (c, store) => {
  const ranges = c.req.valid("json").ranges?.map(rangeOf);
  const { bytes, refused } = await permittedInode(c, store, "write").evict(ranges);
  return c.json({
    evictedBytes: String(bytes),
    refused: refused.map(({ range, why }) => ({ range: rangeView(range), why })),
  }, 200);
});

const listPages = endpoint({
  method: "get",
  path: "/v1/inodes/{i}/pages",
  operationId: "listCachedPages",
  summary: "Show which pages are cached, and in what state",
  description:
    "Lists runs of cached pages by offset, with their state and whether they are mapped.",
  needs: onInode("read"),

  request: { params: InodeParam, query: PagesQuery },
  responses: { 200: json(PagesView, "Runs of pages, by offset") },
  faults: ["inode-not-found", "backing-failed"],
}).handle((c, store) => {
  const { limit, cursor = 0n } = c.req.valid("query");
  const inode = permittedInode(c, store, "read");
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
