import { createRoute, type OpenAPIHono, z } from "@hono/zod-openapi";
import type { TypedResponse } from "hono";
import { accepts } from "hono/accepts";
import { LIST_ITEMS_DEFAULT } from "../src/core/limits.ts";
import { type Mapping, showMapping } from "../src/devices/multi_device.ts";
import type { AnonymousDevice } from "../src/devices/records.ts";
import type { AnonymousDevices } from "../src/devices/anonymous_devices.ts";
import type { DeviceRegistry } from "../src/devices/registry.ts";
import type { DeviceResolver } from "../src/devices/resolve.ts";
import {
  AnonymousDeviceBody,
  AnonymousDeviceView,
  DeviceInfoBody,
  DeviceParam,
  InodeView,
  LoadBody,
  MapBody,
  MappingList,
  MappingParam,
  MappingsQuery,
  MappingView,
  MapView,
  ResolvedDeviceView,
} from "../src/wire/devices.ts";
import { DeviceList, DevicesQuery, DeviceView } from "../src/wire/host_devices.ts";
import { deviceImageRoutes } from "./device_image.ts";
import type { Env } from "./env.ts";
import { hostDeviceRoutes, hostDeviceView } from "./host_devices.ts";
import { json, jsonBody, needs, newRoutes, problems } from "./openapi.ts";

const tags = ["devices"];

/** Everything below `/v1/devices`. */
export function deviceRoutes(
  registry: DeviceRegistry,
  resolver: DeviceResolver,
): OpenAPIHono<Env> {
  const routes = newRoutes();
  // Before those of one device: `image` is not an id.
  routes.route("/", deviceImageRoutes(registry));
  addList(routes, registry);
  addDevices(routes, registry.anonymous, resolver);
  addDevice(routes, registry);
  addMappings(routes, registry.anonymous);
  routes.route("/", hostDeviceRoutes(registry.host));
  return routes;
}

function addList(routes: OpenAPIHono<Env>, registry: DeviceRegistry): void {
  routes.openapi(
    createRoute({
      method: "get",
      path: "/v1/devices",
      tags,
      summary: "List devices: those of the host by id, then the anonymous ones by minor",
      middleware: needs("read"),
      request: { query: DevicesQuery },
      responses: { 200: json(DeviceList, "A page of devices"), ...problems() },
    }),
    (c) => {
      const { kind, sandbox, limit, cursor = "" } = c.req.valid("query");
      const after = /^anon-([0-9]{1,20})$/.exec(cursor)?.[1];
      const isAnonymous = kind === "simple" || kind === "multi";
      const hosts = isAnonymous || after !== undefined
        ? []
        : registry.host.list({ kind, sandbox }).filter(({ id }) => id > cursor);
      const others = sandbox === undefined && (kind === undefined || isAnonymous)
        ? registry.anonymous.list().filter((device) =>
          (kind === undefined || device.kind === kind) &&
          device.identity.minor > BigInt(after ?? 0)
        )
        : [];
      const page = hosts.slice(0, limit);
      const rest = others.slice(0, limit - page.length);
      const last = rest.at(-1)?.identity.id ?? page.at(-1)?.id;
      const hasMore = hosts.length + others.length > limit && last !== undefined;
      return c.json({
        items: [
          ...page.map((device) => hostDeviceView(device, registry.host)),
          ...rest.map(deviceView),
        ],
        ...(hasMore ? { next: last } : {}),
      }, 200);
    },
  );
}

function addDevice(routes: OpenAPIHono<Env>, registry: DeviceRegistry): void {
  const { anonymous, host } = registry;
  routes.openapi(
    createRoute({
      method: "get",
      path: "/v1/devices/{id}",
      tags,
      summary: "A device",
      middleware: needs("read"),
      request: { params: DeviceParam },
      responses: { 200: json(DeviceView, "As it is"), ...problems("device-not-found") },
    }),
    (c) => {
      const { id } = c.req.valid("param");
      return anonymous.has(id)
        ? c.json(deviceView(anonymous.get(id)), 200)
        : c.json(hostDeviceView(host.get(id), host), 200);
    },
  );
  routes.openapi(
    createRoute({
      method: "delete",
      path: "/v1/devices/{id}",
      tags,
      summary: "Delete a device: an anonymous one with its mappings, or one that nobody holds",
      middleware: needs("write"),
      request: { params: DeviceParam },
      responses: {
        204: { description: "Deleted" },
        ...problems("device-not-found", "device-attached"),
      },
    }),
    async (c) => {
      const { id } = c.req.valid("param");
      await (anonymous.has(id) ? anonymous : host).delete(id);
      return c.body(null, 204);
    },
  );
}

function addDevices(
  routes: OpenAPIHono<Env>,
  registry: AnonymousDevices,
  resolver: DeviceResolver,
): void {
  routes.openapi(
    createRoute({
      method: "post",
      path: "/v1/devices/anonymous",
      tags,
      summary: "Create an anonymous device on the next minor",
      middleware: needs("write"),
      request: { body: jsonBody(AnonymousDeviceBody) },
      responses: { 201: json(AnonymousDeviceView, "Created"), ...problems("minors-exhausted") },
    }),
    async (c) => {
      const { kind, name } = c.req.valid("json");
      return c.json(deviceView(await registry.create(kind, name)), 201);
    },
  );
  routes.openapi(
    createRoute({
      method: "post",
      path: "/v1/devices/resolve",
      tags,
      summary: "Find a host device by its numbers; changes nothing",
      middleware: needs("read"),
      request: { body: jsonBody(DeviceInfoBody) },
      responses: {
        200: json(ResolvedDeviceView, "Found"),
        ...problems(
          "no-such-device",
          "device-path-escapes",
          "device-unreadable",
          "not-persistent-memory",
        ),
      },
    }),
    async (c) => {
      const { driver, hostPath, backingFile, evidence } = await resolver.resolve(
        c.req.valid("json"),
      );
      return c.json({
        driver,
        hostPath,
        ...(backingFile === undefined ? {} : { backingFile }),
        evidence: [...evidence],
      }, 200);
    },
  );
  routes.openapi(
    createRoute({
      method: "post",
      path: "/v1/devices/{id}/inodes",
      tags,
      summary: "Take the next inode number of a simple device",
      middleware: needs("write"),
      request: { params: DeviceParam },
      responses: {
        201: json(InodeView, "Handed out, never again"),
        ...problems("device-not-found", "wrong-device-kind", "inodes-exhausted"),
      },
    }),
    async (c) => {
      const inode = await registry.nextInode(c.req.valid("param").id);
      return c.json({ inode: String(inode) }, 201);
    },
  );
}

function addMappings(routes: OpenAPIHono<Env>, registry: AnonymousDevices): void {
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

function deviceView(device: AnonymousDevice): z.input<typeof AnonymousDeviceView> {
  const { id, name, major, minor, deviceId } = device.identity;
  return {
    id,
    kind: device.kind,
    ...(name === undefined ? {} : { name }),
    major: String(major),
    minor: String(minor),
    deviceId: String(deviceId),
    last: String(device.last),
    ...(device.kind === "multi" ? { mappings: device.size } : {}),
  };
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
