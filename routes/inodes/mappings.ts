import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { Range } from "../../src/core/segments.ts";
import type { Mapping } from "../../src/inodes/mapping/mapping_set.ts";
import type { InodeStore } from "../../src/inodes/store/store.ts";
import {
  InodeCursor,
  MappedView,
  MappingBody,
  MappingListView,
  MappingQuery,
  type MappingView,
  RangeBody,
  TranslateBody,
  TranslatedView,
  UnmappedView,
} from "../../src/wire/inodes.ts";
import { Limit, Name } from "../../src/wire/scalars.ts";
import type { Env } from "../http/env.ts";
import { rangeView } from "./views.ts";
import { pageOf } from "../http/pagination.ts";
import { json, jsonBody, needs, newRoutes, problems } from "../http/openapi.ts";

const params = z.object({ i: Name });
const tags = ["inodes"];

/** Who has mapped an inode, and where its bytes are for them. */
export function inodeMappingRoutes(store: InodeStore): OpenAPIHono<Env> {
  const routes = newRoutes();

  routes.openapi(
    createRoute({
      method: "post",
      path: "/v1/inodes/{i}/mappings",
      tags,
      summary: "Say that an address space maps a range: its pages stay in the cache",
      middleware: [needs("write")],
      request: { params, body: jsonBody(MappingBody) },
      responses: {
        201: json(MappedView, "It is known"),
        ...problems(
          "inode-not-found",
          "inode-read-only",
          "mapping-not-found",
          "mappings-exhausted",
        ),
      },
    }),
    (c) => {
      const inode = store.inode(c.req.valid("param").i);
      const body = c.req.valid("json");
      const fresh = "copyOf" in body
        ? inode.copyMapping(mappingOf(body.copyOf), body.address)
        : inode.addMapping(mappingOf(body));
      return c.json({ newlyMapped: fresh.map(rangeView) }, 201);
    },
  );

  routes.openapi(
    createRoute({
      method: "delete",
      path: "/v1/inodes/{i}/mappings",
      tags,
      summary: "End a mapping, or a part of one",
      middleware: [needs("write")],
      request: { params, query: MappingQuery },
      responses: {
        200: json(UnmappedView, "It is ended"),
        ...problems("inode-not-found", "mapping-not-found"),
      },
    }),
    (c) => {
      const inode = store.inode(c.req.valid("param").i);
      const gone = inode.removeMapping(mappingOf(c.req.valid("query")));
      return c.json({ noLongerMapped: gone.map(rangeView) }, 200);
    },
  );

  routes.openapi(
    createRoute({
      method: "get",
      path: "/v1/inodes/{i}/mappings",
      tags,
      summary: "List mappings",
      middleware: [needs("read")],
      request: { params, query: z.strictObject({ limit: Limit, cursor: InodeCursor }) },
      responses: {
        200: json(MappingListView, "A page of mappings, by offset"),
        ...problems("inode-not-found"),
      },
    }),
    (c) => {
      const { limit, cursor } = c.req.valid("query");
      const mappings = [...store.inode(c.req.valid("param").i).mappings()]
        .sort((a, b) => keyOf(a) < keyOf(b) ? -1 : 1);
      return c.json(pageOf(mappings, keyOf, mappingView, limit, cursor), 200);
    },
  );

  routes.openapi(
    createRoute({
      method: "post",
      path: "/v1/inodes/{i}/translate",
      tags,
      summary: "Say which file has mapped bytes, and where",
      middleware: [needs("write")],
      request: { params, body: jsonBody(TranslateBody) },
      responses: {
        200: json(TranslatedView, "Where the bytes are; the holder keeps them there"),
        ...problems("inode-not-found", "holder-not-found", "not-mapped", "cache-full"),
      },
    }),
    async (c) => {
      const { required, optional = required, access, holder } = c.req.valid("json");
      const request = {
        required: rangeOf(required),
        optional: rangeOf(optional),
        isWrite: access === "write",
      };
      const inode = store.inode(c.req.valid("param").i);
      const { translations, busError } = await inode.translate(request, holder);
      return c.json({
        translations: translations.map(({ source, file, offset, permissions }) => ({
          source: rangeView(source),
          file,
          offset: String(offset),
          permissions: permissions.write ? "read-write" as const : "read" as const,
        })),
        ...(busError === undefined ? {} : {
          busError: {
            offset: String(busError.offset),
            code: busError.fault?.code ?? "end-of-file",
            detail: busError.fault?.message ?? "The content ends here",
          },
        }),
      }, 200);
    },
  );

  routes.openapi(
    createRoute({
      method: "post",
      path: "/v1/inodes/{i}/references",
      tags,
      summary: "Keep pages in the cache",
      middleware: [needs("write")],
      request: { params, body: jsonBody(RangeBody) },
      responses: { 204: { description: "They stay" }, ...problems("inode-not-found") },
    }),
    (c) => {
      store.inode(c.req.valid("param").i).addReference(rangeOf(c.req.valid("json")));
      return c.body(null, 204);
    },
  );

  routes.openapi(
    createRoute({
      method: "delete",
      path: "/v1/inodes/{i}/references",
      tags,
      summary: "Let pages go that were kept in the cache",
      middleware: [needs("write")],
      request: { params, query: RangeBody },
      responses: {
        204: { description: "One reference less" },
        ...problems("inode-not-found", "reference-not-found"),
      },
    }),
    (c) => {
      store.inode(c.req.valid("param").i).removeReference(rangeOf(c.req.valid("query")));
      return c.body(null, 204);
    },
  );

  return routes;
}

function rangeOf({ offset, length }: z.output<typeof RangeBody>): Range {
  return { start: offset, end: offset + length };
}

function mappingOf(
  { space, address, length, offset, writable }: {
    space: string;
    address: bigint;
    length: bigint;
    offset: bigint;
    writable: boolean;
  },
): Mapping {
  return { space, address, range: { start: offset, end: offset + length }, isWritable: writable };
}

/** In the order of offsets, which have up to twenty digits. */
function keyOf({ space, address, range, isWritable }: Mapping): string {
  return [String(range.start).padStart(20, "0"), space, address, isWritable ? "w" : "r"].join(" ");
}

function mappingView(mapping: Mapping): z.input<typeof MappingView> {
  const { space, address, range, isWritable } = mapping;
  return { ...rangeView(range), space, address: String(address), writable: isWritable };
}
