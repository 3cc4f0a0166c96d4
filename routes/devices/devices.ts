import { createRoute, type OpenAPIHono, type z } from "@hono/zod-openapi";
import type { AnonymousDevice } from "../../src/devices/anonymous/anonymous_device.ts";
import type { AnonymousDevices } from "../../src/devices/anonymous/anonymous_devices.ts";
import type { DeviceRegistry } from "../../src/devices/registry.ts";
import type { DeviceResolver } from "../../src/devices/resolve/resolve.ts";
import {
  AnonymousDeviceBody,
  AnonymousDeviceView,
  DeviceInfoBody,
  DeviceParam,
  InodeView,
  ResolvedDeviceView,
} from "../../src/wire/devices.ts";
import { DeviceList, DevicesQuery, DeviceView } from "../../src/wire/host_devices.ts";
import { deviceImageRoutes } from "./image.ts";
import { deviceMappingRoutes } from "./mappings.ts";
import type { Env } from "../http/env.ts";
import { hostDeviceRoutes, hostDeviceView } from "./host.ts";
import { json, jsonBody, needs, newRoutes, problems } from "../http/openapi.ts";

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
  routes.route("/", deviceMappingRoutes(registry.anonymous));
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
