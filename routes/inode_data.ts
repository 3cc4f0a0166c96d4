import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import { Fault } from "../src/core/faults.ts";
import { PAGE_BYTES, READ_NOW_BYTES_MAX } from "../src/core/limits.ts";
import type { CachingInode } from "../src/inodes/caching_inode.ts";
import type { InodeStore } from "../src/inodes/store.ts";
import { rangeOfPath } from "../src/wire/byte_range.ts";
import { Durable, EvictBody, EvictedView, PagesView } from "../src/wire/inodes.ts";
import { Limit, Name, U64 } from "../src/wire/scalars.ts";
import { bytesAsked, bytesOf, bytesResponse, requireOctets } from "./bytes.ts";
import type { Env } from "./env.ts";
import { bytes, bytesBody, json, jsonBody, needs, newRoutes, problems } from "./openapi.ts";

const params = z.object({ i: Name });
const durable = z.strictObject({ durable: Durable });
const tags = ["inodes"];

/** Faults of every write. */
const WRITES = [
  "inode-not-found",
  "inode-read-only",
  "wrong-length",
  "cache-full",
  "backing-changed",
  "backing-failed",
  "backing-full",
  "root-read-only",
] as const;

/** One for all requests: an answer copies its body before the next request can use this. */
const scratch = new Uint8Array(READ_NOW_BYTES_MAX);

/** The bytes of an inode and what is done with its cached pages. */
export function inodeDataRoutes(store: InodeStore): OpenAPIHono<Env> {
  const routes = newRoutes();

  routes.openapi(
    createRoute({
      method: "get",
      path: "/v1/inodes/{i}/data",
      tags,
      summary: "Read the content, or a range of it",
      middleware: [needs("read")],
      request: {
        params,
        headers: z.object({ range: z.string().optional(), "if-range": z.string().optional() }),
      },
      responses: {
        200: bytes("All of it"),
        206: bytes("The range"),
        ...problems(
          "inode-not-found",
          "range-not-satisfiable",
          "backing-changed",
          "backing-failed",
        ),
      },
    }),
    (c) => {
      const { range, "if-range": ifRange } = c.req.valid("header");
      return answer(store.inode(c.req.valid("param").i), range, ifRange);
    },
  );

  routes.openapi(
    createRoute({
      method: "put",
      path: "/v1/inodes/{i}/data",
      tags,
      summary: "Replace the whole content",
      middleware: [needs("write")],
      request: { params, query: durable, body: bytesBody() },
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
      await inode.replace(await bytesOf(c.req.raw));
      if (c.req.valid("query").durable) await inode.sync();
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
        body: bytesBody(),
      },
      responses: { 204: { description: "It is written" }, ...problems(...WRITES) },
    }),
    async (c) => {
      const { i, range } = c.req.valid("param");
      const { start, end } = rangeOfPath(range);
      const inode = store.inode(i);
      requireOctets(c.req.header("content-type"));
      await inode.write(await bytesOf(c.req.raw, end - start), start);
      if (c.req.valid("query").durable) await inode.sync();
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
        items: runs.slice(0, limit).map((run) => ({ ...rangeView(run), state: run.state })),
        ...(next === undefined ? {} : { next: String(next) }),
      }, 200);
    },
  );

  return routes;
}

async function answer(
  inode: CachingInode,
  range: string | undefined,
  ifRange: string | undefined,
): Promise<Response> {
  const { size, etag } = inode;
  const isWanted = ifRange === undefined || ifRange === etag;
  const asked = bytesAsked(isWanted ? range : undefined, size);
  const length = Number(asked.end - asked.start);
  let into = length <= scratch.byteLength ? scratch.subarray(0, length) : new Uint8Array(length);
  let read = inode.readNow(into, asked.start);
  const status = read === undefined ? "fwd=miss" : "hit";
  if (read === undefined) {
    // Others may use the scratch memory while this one waits.
    if (into.buffer === scratch.buffer) into = new Uint8Array(length);
    read = await inode.read(into, asked.start);
  }
  const headers = {
    "cache-status": `innkeeper; ${status}`,
    // Bytes that were read while the content changed belong to no version.
    ...(etag !== undefined && etag === inode.etag ? { etag } : {}),
  };
  if (read === length) return bytesResponse(asked, size, into, headers);
  return shortAnswer(asked, read, into, headers);
}

/** The answer when the content was cut while it was read. */
function shortAnswer(
  asked: ReturnType<typeof bytesAsked>,
  read: number,
  bytes: Uint8Array<ArrayBuffer>,
  headers: Readonly<Record<string, string>>,
): Response {
  const end = asked.start + BigInt(read);
  if (asked.partial && read === 0) {
    throw new Fault(
      "range-not-satisfiable",
      `Cannot send the range from ${asked.start} on: the content was cut meanwhile`,
      { members: { size: String(end) } },
    );
  }
  return bytesResponse({ ...asked, end }, end, bytes.subarray(0, read), headers);
}

function rangeView(range: { readonly start: bigint; readonly end: bigint }): {
  offset: string;
  length: string;
} {
  return { offset: String(range.start), length: String(range.end - range.start) };
}
