import { MOUNT_PROBE_MS } from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";
import { SystemError } from "../core/system_error.ts";
import { O_PATH } from "../native/constants.ts";
import { openPath } from "../native/descriptor.ts";
import { FUSE_TYPE, FuseDevice } from "../native/fuse_device.ts";
import type { Libc } from "../native/libc.ts";
import { detachMount, mountedOn, realFolder } from "../native/mount_table.ts";
import { statCached, statSynced } from "../native/statx.ts";

/** How to mount. */
interface DeviceOptions {
  readonly folder: string;
  /** Lets other users in. */
  readonly others: boolean;
  readonly clock: Clock;
}

/**
 * Opens the FUSE device and mounts it on a folder. A dead mount that an earlier process left there
 * is taken away first.
 *
 * @throws {SystemError} EBUSY when a living file system of Innkeeper is there; ENOENT without
 * /dev/fuse; EPERM without the right to mount
 */
export async function mountDevice(
  libc: Libc,
  { folder, others, clock }: DeviceOptions,
): Promise<FuseDevice> {
  await detachDead(libc, folder, clock);
  return FuseDevice.mount(libc, { ...ownerOfSelf(libc), folder, others });
}

/** Who this process is: the daemon has no permission to ask Deno. */
export function ownerOfSelf(libc: Libc): { readonly uid: number; readonly gid: number } {
  using self = openPath(libc, "/proc/self", O_PATH);
  const { uid, gid } = statCached(self);
  return { uid, gid };
}

async function detachDead(libc: Libc, where: string, clock: Clock): Promise<void> {
  const folder = realFolder(libc, where);
  const found = mountedOn(libc, folder);
  if (found?.type !== FUSE_TYPE) return;
  if (await isAlive(libc, folder, clock)) throw new SystemError("EBUSY", "mount", folder);
  detachMount(libc, folder, found.device);
}

/** Whether somebody answers there. One that takes its time may be stopped, which is no death. */
async function isAlive(libc: Libc, folder: string, clock: Clock): Promise<boolean> {
  using root = openPath(libc, folder, O_PATH);
  const late = new Promise<true>((resolve) => clock.after(MOUNT_PROBE_MS, () => resolve(true)));
  const answer = statSynced(root).then(() => true, (error: unknown) => {
    if (error instanceof SystemError && error.errno === "ENOTCONN") return false;
    throw error;
  });
  return await Promise.race([answer, late]);
}
