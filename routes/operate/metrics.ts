import { Gauge, type Registry } from "prom-client";
import type { Innkeeper } from "../../src/daemon/innkeeper.ts";
import type { Connections } from "../../src/sessions/connections.ts";
import { endpointsOf, Routes } from "../http/endpoint.ts";
import { text } from "../http/openapi.ts";

/**
 * A measurement of the daemon, taken whenever somebody reads the metrics. The name goes without
 * `innkeeper_` and has its unit last, such as `cache_resident_bytes`.
 */
type Metric = readonly [name: string, help: string, read: () => number | bigint];

/**
 * What an operator wants to see over time.
 *
 * @param residentBytes Memory of the daemon's process, which only its host knows
 */
export function metricsOf(
  { scopes, devices, inodes, guests }: Innkeeper,
  connections: Connections,
  residentBytes: () => number,
): readonly Metric[] {
  return [
    ["scopes", "Scopes", () => scopes.list().length],
    ["connections", "Open WebSockets", () => connections.count],
    ["anonymous_devices", "Anonymous and multi devices", () => devices.anonymous.count],
    ["host_devices", "Host devices of all sandboxes", () => devices.host.count],
    ["device_mappings", "Mappings of multi devices", () => devices.mappingCount],
    ["inodes", "Open inodes", () => inodes.stats().inodes],
    ["cache_resident_bytes", "Cached pages", () => inodes.stats().residentBytes],
    ["cache_dirty_bytes", "Cached, not written back", () => inodes.stats().dirtyBytes],
    ["guests", "Guests", () => guests.list().length],
    ["guest_memory_bytes", "Memory of all guests", () => guests.memoryBytes],
    ["resident_bytes", "Memory of the daemon", residentBytes],
  ];
}

const EXAMPLE =
  "# HELP innkeeper_scopes Scopes\n# TYPE innkeeper_scopes gauge\ninnkeeper_scopes 3\n";

const showMetrics = endpointsOf<Registry>("daemon")({
  method: "get",
  path: "/metrics",
  operationId: "showMetrics",
  summary: "Show what an operator wants to see over time",
  description: "In Prometheus' text form, to be read every some seconds.",
  needs: "read",
  responses: {
    200: { description: "The measurements of this moment", content: text("text/plain", EXAMPLE) },
  },
  faults: [],
}).handle(async (c, registry) => {
  const { contentType } = registry;
  return c.text(await registry.metrics(), 200, { "content-type": contentType });
});

/** `GET /metrics`: what is in the registry, and these metrics, in Prometheus' text form. */
export function metricsRoutes(registry: Registry, metrics: readonly Metric[]): Routes {
  for (const [name, help, read] of metrics) {
    new Gauge({
      name: `innkeeper_${name}`,
      help,
      registers: [registry],
      collect(): void {
        this.set(Number(read()));
      },
    });
  }
  return new Routes().add([showMetrics], registry);
}
