import type { Connections } from "../../src/sessions/connections.ts";
import type { Innkeeper } from "../../src/daemon/innkeeper.ts";

/** A figure of the daemon, read when it is asked for. */
export interface Metric {
  /** Prometheus name, with its unit last, such as `innkeeper_cache_resident_bytes`. */
  readonly name: string;
  readonly help: string;
  readonly read: () => number;
}

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
  const figure = (name: string, help: string, read: () => number | bigint): Metric => ({
    name: `innkeeper_${name}`,
    help,
    read: () => Number(read()),
  });
  return [
    figure("scopes", "Scopes", () => scopes.list().length),
    figure("connections", "Open WebSockets", () => connections.count),
    figure("anonymous_devices", "Anonymous and multi devices", () => devices.anonymous.count),
    figure("host_devices", "Host devices of all sandboxes", () => devices.host.count),
    figure("device_mappings", "Mappings of multi devices", () => devices.mappingCount),
    figure("inodes", "Open inodes", () => inodes.stats().inodes),
    figure("cache_resident_bytes", "Cached pages", () => inodes.stats().residentBytes),
    figure("cache_dirty_bytes", "Cached, not written back", () => inodes.stats().dirtyBytes),
    figure("guests", "Guests", () => guests.list().length),
    figure("guest_memory_bytes", "Memory of all guests", () => guests.memoryBytes),
    figure("resident_bytes", "Memory of the daemon", residentBytes),
  ];
}
