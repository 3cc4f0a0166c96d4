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
import { Routes } from "../http/endpoint.ts";
import { json, jsonBody } from "../http/openapi.ts";
import { hostDeviceEndpoints } from "./host.ts";
import { imageEndpoints } from "./image.ts";
import { mappingEndpoints } from "./mappings.ts";
import {
  anonymousView,
  endpoint,
  hostDeviceView,
  onDevice,
  permittedDevice,
  sandboxOf,
} from "./views.ts";

const listDevices = endpoint({
  method: "get",
  path: "/v1/devices",
  operationId: "listDevices",
  summary: "List devices: those of the host by id, then the anonymous ones by minor",
  description:
    "Host devices of every sandbox come first, then the anonymous ones. `kind` and `sandbox` " +
    "leave the others out.",
  needs: { permission: "read", on: { kind: "sandboxes", in: "each item" } },
  also: [{ permission: "read", when: "to be shown anonymous devices" }],

  request: { query: DevicesQuery },
  responses: { 200: json(DeviceList, "A page of devices") },
  faults: [],
}).handle((c, { registry: { anonymous, host } }) => {
  const principal = c.get("principal");
  const { kind, sandbox, limit, cursor = "" } = c.req.valid("query");
  const after = /^anon-([0-9]{1,20})$/.exec(cursor)?.[1];
  const isAnonymous = kind === "simple" || kind === "multi";
  const hosts = isAnonymous || after !== undefined
    ? []
    : host.list({ kind, sandbox }).filter((device) =>
      device.id > cursor && principal.may("read", sandboxOf(device))
    );
  const others =
    principal.may("read") && sandbox === undefined && (kind === undefined || isAnonymous)
      ? anonymous.list().filter((device) =>
        (kind === undefined || device.kind === kind) && device.identity.minor > BigInt(after ?? 0)
      )
      : [];
  const page = hosts.slice(0, limit);
  const rest = others.slice(0, limit - page.length);
  const last = rest.at(-1)?.identity.id ?? page.at(-1)?.id;
  return c.json({
    items: [...page.map((device) => hostDeviceView(device, host)), ...rest.map(anonymousView)],
    next: hosts.length + others.length > limit ? last : undefined,
  }, 200);
});

const createAnonymous = endpoint({
  method: "post",
  path: "/v1/devices/anonymous",
  operationId: "createAnonymousDevice",
  summary: "Create an anonymous device on the next minor",
  description:
    "The device gets the next free minor of major 0. No other device has that minor until this " +
    "one is deleted, also after a restart.",
  needs: "write",
  request: { body: jsonBody(AnonymousDeviceBody) },
  responses: { 201: json(AnonymousDeviceView, "Created") },
  faults: ["minors-exhausted"],
}).handle(async (c, { registry: { anonymous } }) => {
  const { kind, name } = c.req.valid("json");
  return c.json(anonymousView(await anonymous.create(kind, name)), 201);
});

const resolveDevice = endpoint({
  method: "post",
  path: "/v1/devices/resolve",
  operationId: "resolveDevice",
  summary: "Find a host device by its numbers; changes nothing",
  description:
    "Reads sysfs for the driver, the path and the file behind a device, without registering " +
    "anything. What was read is listed as evidence.",
  needs: "read",
  request: { body: jsonBody(DeviceInfoBody) },
  responses: { 200: json(ResolvedDeviceView, "Found") },
  faults: ["no-such-device", "device-path-escapes", "device-unreadable", "not-persistent-memory"],
}).handle(async (c, { resolver }) => c.json(await resolver.resolve(c.req.valid("json")), 200));

const takeInode = endpoint({
  method: "post",
  path: "/v1/devices/{id}/inodes",
  operationId: "takeInodeNumber",
  summary: "Take the next inode number of a simple device",
  description:
    "Only a simple device hands out numbers. A number is used once, whatever happens: a call " +
    "whose answer got lost has used one up.",
  needs: "write",
  request: { params: DeviceParam },
  responses: { 201: json(InodeView, "Handed out, never again") },
  faults: ["device-not-found", "wrong-device-kind", "inodes-exhausted"],
}).handle(async (c, { registry: { anonymous } }) => {
  const inode = await anonymous.nextInode(c.req.valid("param").id);
  return c.json({ inode: String(inode) }, 201);
});

const showDevice = endpoint({
  method: "get",
  path: "/v1/devices/{id}",
  operationId: "showDevice",
  summary: "A device",
  description: "Shows a device of the host with its holders, or an anonymous one with its numbers.",
  needs: onDevice("read"),
  also: [{ permission: "read", when: "of an anonymous device" }],

  request: { params: DeviceParam },
  responses: { 200: json(DeviceView, "As it is") },
  faults: ["device-not-found"],
}).handle((c, { registry }) => {
  const { anonymous, host } = registry;
  const { id } = c.req.valid("param");
  return anonymous.has(id) && c.get("principal").may("read")
    ? c.json(anonymousView(anonymous.get(id)), 200)
    : c.json(hostDeviceView(permittedDevice(c, registry, "read"), host), 200);
});

const deleteDevice = endpoint({
  method: "delete",
  path: "/v1/devices/{id}",
  operationId: "deleteDevice",
  summary: "Delete a device: an anonymous one with its mappings, or one that nobody holds",
  description:
    "An anonymous device goes with all its mappings, and its minor becomes free. A host device " +
    "must have no holder.",
  needs: onDevice("write"),
  also: [{ permission: "write", when: "of an anonymous device" }],

  request: { params: DeviceParam },
  responses: { 204: { description: "Deleted" } },
  faults: ["device-not-found", "device-attached"],
}).handle(async (c, { registry }) => {
  const { anonymous, host } = registry;
  const { id } = c.req.valid("param");
  if (anonymous.has(id) && c.get("principal").may("write")) await anonymous.delete(id);
  else await host.delete(permittedDevice(c, registry, "write").id);
  return c.body(null, 204);
});

/** Everything below `/v1/devices`. */
export function deviceRoutes(registry: DeviceRegistry, resolver: DeviceResolver): Routes {
  return new Routes().add([
    // Before the routes of one device: `image` is not an id.
    ...imageEndpoints,
    ...[listDevices, createAnonymous, resolveDevice, takeInode, showDevice, deleteDevice],
    ...mappingEndpoints,
    ...hostDeviceEndpoints,
  ], { registry, resolver });
}
