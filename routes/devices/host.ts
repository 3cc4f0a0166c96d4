import { createRoute, type OpenAPIHono, type z } from "@hono/zod-openapi";
import { rfc3339 } from "../../src/core/time.ts";
import type { HostDevice } from "../../src/devices/host/host_device.ts";
import type { HostDevices } from "../../src/devices/host/host_devices.ts";
import { recordOf } from "../../src/devices/host/host_records.ts";
import { render } from "../../src/devices/render/render.ts";
import type { Rendering } from "../../src/devices/render/rendering.ts";
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
import type { Env } from "../http/env.ts";
import { json, jsonBody, needs, newRoutes, problems } from "../http/openapi.ts";

const tags = ["devices"];

/** `/v1/devices` for the devices of the host: register, hold, report and render. */
export function hostDeviceRoutes(host: HostDevices): OpenAPIHono<Env> {
  const routes = newRoutes();
  addRegister(routes, host);
  addHolders(routes, host);
  routes.openapi(
    createRoute({
      method: "patch",
      path: "/v1/devices/{id}",
      tags,
      summary: "Take down what the hypervisor reported of a host device",
      description: "The last holder takes the report with it: 409 while nobody holds the device.",
      middleware: needs("write"),
      request: { params: DeviceParam, body: jsonBody(DeviceReportBody) },
      responses: {
        200: json(HostDeviceView, "With what was reported"),
        ...problems("device-not-found", "wrong-device-kind", "device-not-attached"),
      },
    }),
    async (c) => {
      const device = await host.report(c.req.valid("param").id, c.req.valid("json"));
      return c.json(hostDeviceView(device, host), 200);
    },
  );
  routes.openapi(
    createRoute({
      method: "get",
      path: "/v1/devices/{id}/render",
      tags,
      summary: "How a hypervisor is told to plug the device and to take it out",
      middleware: needs("read"),
      request: { params: DeviceParam, query: RenderQuery },
      responses: {
        200: json(RenderingView, "Steps, steps back and the events to wait for"),
        ...problems("device-not-found", "not-renderable"),
      },
    }),
    (c) => {
      const { for: hypervisor, ...options } = c.req.valid("query");
      const device = host.get(c.req.valid("param").id);
      return c.json(renderingView(render(device, hypervisor, options)), 200);
    },
  );
  return routes;
}

function addRegister(routes: OpenAPIHono<Env>, host: HostDevices): void {
  routes.openapi(
    createRoute({
      method: "post",
      path: "/v1/devices",
      tags,
      summary: "Register a host device for a sandbox",
      description: "Another sandbox may have the same device, of whatever kind, only when both " +
        "have it read-only or share it. What is generic by its numbers, such as /dev/null or " +
        "/dev/kvm, is shared; a block device or an IOMMU group that is called generic is not.",
      middleware: needs("write"),
      request: { body: jsonBody(RegisterBody) },
      responses: {
        200: json(HostDeviceView, "The sandbox has it already"),
        201: json(HostDeviceView, "Registered"),
        ...problems(
          "no-such-device",
          "device-path-escapes",
          "device-unreadable",
          "not-persistent-memory",
          "device-in-use",
          "device-differs",
          "devices-exhausted",
        ),
      },
    }),
    async (c) => {
      const { sandbox, kind, block, vhostUser, rng, sharedFolder, ...info } = c.req.valid("json");
      const { device, created } = await host.register({
        info,
        sandbox,
        kind,
        block,
        vhostUser,
        rng,
        sharedFolder,
      });
      return c.json(hostDeviceView(device, host), created ? 201 : 200);
    },
  );
}

function addHolders(routes: OpenAPIHono<Env>, host: HostDevices): void {
  const path = "/v1/devices/{id}/holders/{holder}";
  routes.openapi(
    createRoute({
      method: "put",
      path,
      tags,
      summary: "Hold a device, or renew the lease; the first holder gives it its numbers",
      middleware: needs("write"),
      request: {
        params: HolderParam,
        body: { content: { "application/json": { schema: HolderBody } } },
      },
      responses: {
        200: json(HostDeviceView, "Held"),
        ...problems(
          "device-not-found",
          "no-such-device",
          "device-unreadable",
          "iommu-group-unusable",
          "holders-exhausted",
          "block-indexes-exhausted",
          "root-ports-exhausted",
        ),
      },
    }),
    async (c) => {
      const { id, holder } = c.req.valid("param");
      const device = await host.attach(id, holder, c.req.valid("json").leaseMs);
      return c.json(hostDeviceView(device, host), 200);
    },
  );
  routes.openapi(
    createRoute({
      method: "delete",
      path,
      tags,
      summary: "Hold a device no longer; the last holder frees its numbers",
      middleware: needs("write"),
      request: { params: HolderParam },
      responses: { 204: { description: "Not held by it" }, ...problems("device-not-found") },
    }),
    async (c) => {
      const { id, holder } = c.req.valid("param");
      await host.detach(id, holder);
      return c.body(null, 204);
    },
  );
}

/** A host device as the API shows it. */
export function hostDeviceView(
  device: HostDevice,
  host: HostDevices,
): z.input<typeof HostDeviceView> {
  const { createdNs: _, holders: _holders, vfio, ...rest } = recordOf(device);
  return {
    ...rest,
    ...(vfio === undefined ? {} : { vfio: [...vfio] }),
    status: host.statusOf(device),
    createdAt: rfc3339(device.createdNs),
    holders: device.holders.map(({ name, sinceNs, leaseMs }) => ({
      name,
      since: rfc3339(sinceNs),
      state: host.isLost(device.id, name) ? "lost" : "held",
      ...(leaseMs === undefined ? {} : { leaseMs }),
    })),
  };
}

/** The form is the same; only what may be changed is told apart by the types. */
function renderingView(rendering: Rendering): z.input<typeof RenderingView> {
  return rendering as z.input<typeof RenderingView>;
}
