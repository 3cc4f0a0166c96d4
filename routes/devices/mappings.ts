import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { TypedResponse } from "hono";
import { accepts } from "hono/accepts";
import { LIST_ITEMS_DEFAULT } from "../../src/core/limits.ts";
import type { AnonymousDevices } from "../../src/devices/anonymous/anonymous_devices.ts";
import { type Mapping, showMapping } from "../../src/devices/anonymous/mapping.ts";
import {
  DeviceParam,
  LoadBody,
  MapBody,
  MappingList,
  MappingParam,
  MappingsQuery,
  MappingView,
  MapView,
} from "../../src/wire/devices.ts";
import type { Env } from "../http/env.ts";
import { json, jsonBody, needs, newRoutes, problems } from "../http/openapi.ts";

const tags = ["devices"];

/** `/v1/devices/{id}/mappings`: files of many devices under one. */
export function deviceMappingRoutes(registry: AnonymousDevices): OpenAPIHono<Env> {
  const routes = newRoutes();
  routes.openapi(
    createRoute({
      method: "post",
      path: "/v1/devices/{id}/mappings",
      tags,
      summary: "Map keys to virtual inodes; a known key keeps its own",
      middleware: needs("write"),
      request: { params: DeviceParam, body: jsonBody(MapBody) },
      responses: {
        200: json(MapView, "In the order asked"),
        ...problems(
          "device-not-found",
          "wrong-device-kind",
          "inodes-exhausted",
          "mappings-exhausted",
        ),
      },
    }),
    async (c) => {
      const items = await registry.map(c.req.valid("param").id, c.req.valid("json").keys);
      return c.json({
        items: items.map(({ mapping, created }) => ({ ...mappingView(mapping), created })),
      }, 200);
    },
  );
  routes.openapi(
    createRoute({
      method: "get",
      path: "/v1/devices/{id}/mappings",
      tags,
      summary: "The mappings, ascending by virtual inode",
      middleware: needs("read"),
      request: { params: DeviceParam, query: MappingsQuery },
      responses: {
        200: {
          description: "A page; as text one line each, and all of one moment unless limited",
          content: {
            "application/json": { schema: MappingList },
            "text/plain": { schema: z.string() },
          },
        },
        ...problems("device-not-found", "wrong-device-kind"),
      },
    }),
    (c) => {
      const { id } = c.req.valid("param");
      const { limit, cursor } = c.req.valid("query");
      const type = accepts(c, {
        header: "Accept",
        supports: ["application/json", "text/plain"],
        default: "application/json",
      });
      if (type === "text/plain") {
        return textResponse(registry.mappings(id, cursor, limit).items);
      }
      const { items, next } = registry.mappings(id, cursor, limit ?? LIST_ITEMS_DEFAULT);
      return c.json({
        items: items.map(mappingView),
        ...(next === undefined ? {} : { next: String(next) }),
      }, 200);
    },
  );
  addMapping(routes, registry);
  return routes;
}

function addMapping(routes: OpenAPIHono<Env>, registry: AnonymousDevices): void {
  const path = "/v1/devices/{id}/mappings/{virtualInode}";
  const missing = ["device-not-found", "wrong-device-kind", "mapping-not-found"] as const;
  routes.openapi(
    createRoute({
      method: "put",
      path,
      tags,
      summary: "Load a mapping: set the virtual inode of a key",
      middleware: needs("write"),
      request: { params: MappingParam, body: jsonBody(LoadBody) },
      responses: {
        200: json(MappingView, "It was there"),
        201: json(MappingView, "Loaded"),
        ...problems(
          "device-not-found",
          "wrong-device-kind",
          "mapping-conflict",
          "mappings-exhausted",
        ),
      },
    }),
    async (c) => {
      const { id, virtualInode } = c.req.valid("param");
      const mapping = { key: c.req.valid("json").key, virtualInode };
      const created = await registry.load(id, mapping);
      return created ? c.json(mappingView(mapping), 201) : c.json(mappingView(mapping), 200);
    },
  );
  routes.openapi(
    createRoute({
      method: "get",
      path,
      tags,
      summary: "The key behind a virtual inode",
      middleware: needs("read"),
      request: { params: MappingParam },
      responses: { 200: json(MappingView, "Found"), ...problems(...missing) },
    }),
    (c) => {
      const { id, virtualInode } = c.req.valid("param");
      return c.json(mappingView(registry.lookUp(id, virtualInode)), 200);
    },
  );
  routes.openapi(
    createRoute({
      method: "delete",
      path,
      tags,
      summary: "Free a mapping; its number is used again only when all others are used up",
      middleware: needs("write"),
      request: { params: MappingParam },
      responses: { 204: { description: "Freed" }, ...problems(...missing) },
    }),
    async (c) => {
      const { id, virtualInode } = c.req.valid("param");
      await registry.free(id, virtualInode);
      return c.body(null, 204);
    },
  );
}

function mappingView({ key, virtualInode }: Mapping): z.input<typeof MappingView> {
  const { device, secondaryDevice, inode } = key;
  return {
    key: {
      device: String(device),
      ...(secondaryDevice === "" ? {} : { secondaryDevice }),
      inode: String(inode),
    },
    virtualInode: String(virtualInode),
  };
}

const LINES_PER_CHUNK = 1_000;

/** The text is made while it is read: a device may have millions of mappings. */
function textResponse(mappings: readonly Mapping[]): Response & TypedResponse<string, 200, "text"> {
  const encoder = new TextEncoder();
  let at = 0;
  const text = new ReadableStream<Uint8Array>({
    pull(controller): void {
      const lines = mappings.slice(at, at + LINES_PER_CHUNK).map((one) => `${showMapping(one)}\n`);
      if (lines.length === 0) return controller.close();
      at += LINES_PER_CHUNK;
      controller.enqueue(encoder.encode(lines.join("")));
    },
  });
  // The type parameters of a typed answer exist for the checker only.
  return new Response(text, {
    headers: { "content-type": "text/plain; charset=utf-8" },
  }) as Response & TypedResponse<string, 200, "text">;
}
