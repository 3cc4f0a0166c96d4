import { getLogger } from "@logtape/logtape";
import type { Clock } from "../core/ports/clock.ts";
import type { HostDevice, OpenHostDevice } from "../core/ports/host_device.ts";
import { type HostSource, sysgenidSource, vmclockSource } from "../generations/host_source.ts";
import type { LiveScope } from "../generations/live_scope.ts";

const log = getLogger(["innkeeper", "daemon"]);

/**
 * Opens the counters in which this host shows its own restores. One that cannot be opened is
 * logged and left out: the daemon is of use without it.
 *
 * @param scope The scope that follows the counters. Its own pages must not be among them
 */
export async function hostSources(
  openDevice: OpenHostDevice,
  { pages: { sysgenid, vmclock } }: LiveScope,
  clock: Clock,
): Promise<readonly HostSource[]> {
  const open = async (
    path: string,
    ownPage: string,
    make: (device: HostDevice) => HostSource,
  ): Promise<readonly HostSource[]> => {
    try {
      const device = await openDevice(path, ownPage);
      return device === undefined ? [] : [make(device)];
    } catch (error) {
      log.warn("a counter of the host is not followed", { path, error: String(error) });
      return [];
    }
  };
  return [
    ...await open("/dev/vmclock0", vmclock.path, (device) => vmclockSource(device, clock)),
    ...await open("/dev/sysgenid", sysgenid.path, sysgenidSource),
  ];
}
