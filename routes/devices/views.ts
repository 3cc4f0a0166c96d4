import type { Context } from "hono";
import type { z } from "@hono/zod-openapi";
import { rfc3339 } from "../../src/wire/time.ts";
import type { Mapping } from "../../src/devices/anonymous/mapping.ts";
import type { AnonymousDevice } from "../../src/devices/anonymous/anonymous_device.ts";
import type { HostDevice } from "../../src/devices/host/host_device.ts";
import { deviceNotFound, type HostDevices } from "../../src/devices/host/host_devices.ts";
import { recordOf } from "../../src/devices/host/host_records.ts";
import type { DeviceRegistry } from "../../src/devices/registry.ts";
import type { DeviceResolver } from "../../src/devices/resolve/resolve.ts";
import type { AnonymousDeviceView, MappingView } from "../../src/wire/devices.ts";
import type { HostDeviceView } from "../../src/wire/host_devices.ts";
import type { Permission, Target } from "../../src/core/rights.ts";
import { endpointsOf } from "../http/endpoint.ts";
import type { Env } from "../http/env.ts";
import type { Need } from "../http/rights.ts";

/** Declares an endpoint of devices. */
export const endpoint = endpointsOf<
  { readonly registry: DeviceRegistry; readonly resolver: DeviceResolver }
>("devices");

/** The right to do this to a device: on its sandbox, or bare for one without hardware. */
export function onDevice(permission: Permission): Need {
  return { permission, on: { kind: "sandboxes", in: "what it is of" } };
}

/** The sandbox of a device as what a right is needed on. */
export function sandboxOf({ sandbox }: Pick<HostDevice, "sandbox">): Target {
  return { kind: "sandboxes", name: sandbox };
}

/**
 * The host device of the path, for who has this permission on its sandbox. For others there is none.
 *
 * @throws {Fault} `device-not-found`
 */
export function permittedDevice(
  c: Context<Env>,
  { host }: DeviceRegistry,
  permission: Permission,
): HostDevice {
  const id = c.req.param("id") ?? "";
  const principal = c.get("principal");
  if (host.has(id) && principal.may(permission, sandboxOf(host.get(id)))) return host.get(id);
  // The refusal of a device that is there is the same as of one that is not.
  throw deviceNotFound(id);
}

/** An anonymous device as the API shows it. */
export function anonymousView(device: AnonymousDevice): z.input<typeof AnonymousDeviceView> {
  const { id, name, major, minor, deviceId } = device.identity;
  return {
    id,
    kind: device.kind,
    name,
    major: String(major),
    minor: String(minor),
    deviceId: String(deviceId),
    last: String(device.last),
    mappings: device.kind === "multi" ? device.size : undefined,
  };
}

/** A host device as the API shows it. */
export function hostDeviceView(
  device: HostDevice,
  host: HostDevices,
): z.input<typeof HostDeviceView> {
  // What is below a device is the host's own matter, and not for whoever may read of a sandbox.
  const { createdNs: _, storage: _hidden, ...rest } = recordOf(device);
  return {
    ...rest,
    status: host.statusOf(device),
    createdAt: rfc3339(device.createdNs),
    holders: device.holders.map(({ name, sinceNs, leaseMs }) => ({
      name,
      since: rfc3339(sinceNs),
      state: host.isLost(device.id, name) ? "lost" : "held",
      leaseMs,
    })),
  };
}

/** A mapping as the API shows it. */
export function mappingView({ key, virtualInode }: Mapping): z.input<typeof MappingView> {
  const { device, secondaryDevice, inode } = key;
  return {
    key: {
      device: String(device),
      secondaryDevice: secondaryDevice === "" ? undefined : secondaryDevice,
      inode: String(inode),
    },
    virtualInode: String(virtualInode),
  };
}
