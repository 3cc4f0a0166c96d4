import { getLogger } from "@logtape/logtape";
import type { HostDevice } from "../core/ports/host_device.ts";
import { type HostSource, sysgenidSource, vmclockSource } from "../generations/host_source.ts";
import type { LiveScope } from "../generations/live_scope.ts";
import { openHostDevice } from "../native/host_device.ts";
import type { NativeHostTree } from "../native/host_tree.ts";
import type { Libc } from "../native/libc.ts";
import { systemClock } from "./system.ts";

const log = getLogger(["innkeeper", "daemon"]);

/**
 * The counters that this host has of its own restores.
 *
 * @param scope The scope that follows them, whose own pages must not be among them
 */
export function hostSources(
  libc: Libc,
  tree: NativeHostTree,
  { pages: { sysgenid, vmclock } }: LiveScope,
): readonly HostSource[] {
  const open = (
    path: string,
    ownPage: string,
    make: (device: HostDevice) => HostSource,
  ): readonly HostSource[] => {
    try {
      const device = openHostDevice(libc, tree, path, ownPage);
      return device === undefined ? [] : [make(device)];
    } catch (error) {
      log.warn("a counter of the host is not followed", { path, error: String(error) });
      return [];
    }
  };
  return [
    ...open("/dev/vmclock0", vmclock.path, (device) => vmclockSource(device, systemClock)),
    ...open("/dev/sysgenid", sysgenid.path, sysgenidSource),
  ];
}
