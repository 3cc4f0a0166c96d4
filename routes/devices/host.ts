import { render } from "../../src/devices/render/render.ts";
import { DeviceParam } from "../../src/wire/devices.ts";
import {
  DeviceReportBody,
  HolderBody,
  HolderParam,
  HostDeviceView,
  RegisterBody,
  RenderingView,
  RenderQuery,
} from "../../src/wire/host_devices.ts";
import { json, jsonBody } from "../http/openapi.ts";
import { endpoint, hostDeviceView, onDevice, permittedDevice, sandboxOf } from "./views.ts";

const registerDevice = endpoint({
  method: "post",
  path: "/v1/devices",
  operationId: "registerDevice",
  summary: "Register a host device for a sandbox",
  description: "Another sandbox may have the same device, of whatever kind, only when both " +
    "have it read-only or share it. What is generic by its numbers, such as /dev/null or " +
    "/dev/kvm, is shared; a block device or an IOMMU group that is called generic is not.",
  needs: { permission: "write", on: { kind: "sandboxes", in: "body" } },
  request: { body: jsonBody(RegisterBody) },
  responses: {
    200: json(HostDeviceView, "The sandbox has it already"),
    201: json(HostDeviceView, "Registered"),
  },
  faults: [
    "no-such-device",
    "device-path-escapes",
    "device-unreadable",
    "not-persistent-memory",
    "device-in-use",
    "device-differs",
    "devices-exhausted",
  ],
}).handle(async (c, { registry: { host } }) => {
  const { sandbox, kind, block, vhostUser, rng, sharedFolder, ...info } = c.req.valid("json");
  const request = { info, sandbox, kind, block, vhostUser, rng, sharedFolder };
  c.get("principal").require("write", sandboxOf(request));
  const { device, created } = await host.register(request);
  return c.json(hostDeviceView(device, host), created ? 201 : 200);
});

const holdDevice = endpoint({
  method: "put",
  path: "/v1/devices/{id}/holders/{holder}",
  operationId: "holdDevice",
  summary: "Hold a device, or renew the lease; the first holder gives it its numbers",
  description:
    "The first holder of a block device gives it an index, and that of a VFIO device a root " +
    "port. Without a lease the hold lasts until it is released.",
  needs: onDevice("write"),

  // A body is not required: without one the hold has no lease.
  request: { params: HolderParam, body: { content: jsonBody(HolderBody).content } },
  responses: { 200: json(HostDeviceView, "Held") },
  faults: [
    "device-not-found",
    "no-such-device",
    "device-unreadable",
    "device-in-use",
    "device-differs",
    "iommu-group-unusable",
    "holders-exhausted",
    "block-indexes-exhausted",
    "root-ports-exhausted",
  ],
}).handle(async (c, { registry }) => {
  permittedDevice(c, registry, "write");
  const { host } = registry;
  const { id, holder } = c.req.valid("param");
  const device = await host.attach(id, holder, c.req.valid("json").leaseMs);
  return c.json(hostDeviceView(device, host), 200);
});

const releaseDevice = endpoint({
  method: "delete",
  path: "/v1/devices/{id}/holders/{holder}",
  operationId: "releaseDevice",
  summary: "Hold a device no longer; the last holder frees its numbers",
  description:
    "When the last holder is gone, the device's index or root ports are free for others. To " +
    "release what is not held is no error.",
  needs: onDevice("write"),

  request: { params: HolderParam },
  responses: { 204: { description: "Not held by it" } },
  faults: ["device-not-found"],
}).handle(async (c, { registry }) => {
  permittedDevice(c, registry, "write");
  const { host } = registry;
  const { id, holder } = c.req.valid("param");
  await host.detach(id, holder);
  return c.body(null, 204);
});

const reportDevice = endpoint({
  method: "patch",
  path: "/v1/devices/{id}",
  operationId: "reportDevicePlace",
  summary: "Take down what the hypervisor reported of a host device",
  description: "The last holder takes the report with it: 409 while nobody holds the device.",
  needs: onDevice("write"),
  request: { params: DeviceParam, body: jsonBody(DeviceReportBody) },
  responses: { 200: json(HostDeviceView, "With what was reported") },
  faults: ["device-not-found", "wrong-device-kind", "device-not-attached"],
}).handle(async (c, { registry }) => {
  permittedDevice(c, registry, "write");
  const { host } = registry;
  const device = await host.report(c.req.valid("param").id, c.req.valid("json"));
  return c.json(hostDeviceView(device, host), 200);
});

const renderDevice = endpoint({
  method: "get",
  path: "/v1/devices/{id}/render",
  operationId: "renderDevice",
  summary: "How a hypervisor is told to plug the device and to take it out",
  description:
    "The steps are shown and not played: the caller runs them against its hypervisor, and takes " +
    "back in reverse what has worked when one fails.",
  needs: onDevice("read"),

  request: { params: DeviceParam, query: RenderQuery },
  responses: { 200: json(RenderingView, "Steps, steps back and the events to wait for") },
  faults: [
    "device-not-found",
    "not-renderable",
    "no-such-device",
    "device-differs",
    "device-unreadable",
  ],
}).handle(async (c, { registry }) => {
  const { for: hypervisor, ...options } = c.req.valid("query");
  const { id } = permittedDevice(c, registry, "read");
  return c.json(render(await registry.host.current(id), hypervisor, options), 200);
});

/** `/v1/devices` for the devices of the host: register, hold, report and render. */
export const hostDeviceEndpoints = [
  ...[registerDevice, holdDevice, releaseDevice, reportDevice, renderDevice],
];
