import type { UserGrant } from "../access/grants.ts";
import { MOUNT_PROBE_MS } from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { EventSink } from "../core/ports/events.ts";
import { SystemError } from "../core/system_error.ts";
import type { Scopes } from "../generations/scopes.ts";
import type { Guests } from "../guests/guests.ts";
import { O_PATH } from "../native/constants.ts";
import { openPath } from "../native/descriptor.ts";
import { FUSE_TYPE, FuseDevice } from "../native/fuse_device.ts";
import type { Libc } from "../native/libc.ts";
import { ReadOnlyFolder } from "../native/mount_pages.ts";
import { detachMount, mountedOn, realFolder } from "../native/mount_table.ts";
import { OpenFiles } from "../native/open_files.ts";
import { readText } from "../native/proc_text.ts";
import { Processes } from "../native/processes.ts";
import { ReadinessLoop } from "../native/readiness_loop.ts";
import { statCached, statSynced } from "../native/statx.ts";
import type { CopiedPages } from "./copied_pages.ts";
import { Mount } from "./mount.ts";

/** What to mount, and where. */
interface MountOptions {
  /** An existing folder. */
  readonly folder: string;
  /** The folder of published pages. */
  readonly pages: string;
  /** Without any, only the daemon's own user gets in. */
  readonly grants: readonly UserGrant[];
}

interface MountPorts {
  readonly scopes: Scopes;
  readonly guests: Guests;
  /** The folder of published pages that the scopes have. */
  readonly copiedPages: CopiedPages;
  readonly clock: Clock;
  readonly events: EventSink;
}

/**
 * Mounts the parts of the daemon on a folder. A dead mount that an earlier process left there is
 * taken away first.
 *
 * @throws {SystemError} EBUSY when a living file system of Innkeeper is there; ENOENT without
 * /dev/fuse; EPERM without the right to mount
 */
export async function openMount(
  libc: Libc,
  { folder, pages, grants }: MountOptions,
  ports: MountPorts,
): Promise<{ readonly mount: Mount; close(): Promise<void> }> {
  await detachDead(libc, folder, ports.clock);
  const { uid, gid } = ownerOfSelf(libc);
  using resources = new DisposableStack();
  const published = orUndefined(() => resources.use(new ReadOnlyFolder(libc, pages)));
  const device = FuseDevice.mount(libc, { folder, uid, gid, others: grants.length > 0 });
  resources.defer(() => device.close());
  const loop = new ReadinessLoop(libc);
  const mount = new Mount({
    ...{ ...ports, device, loop, grants, uid, gid },
    published: {
      openPublished(scope, name) {
        if (published === undefined) throw new SystemError("EPERM", "open_tree", pages);
        return published.open(`${scope}/${name}`);
      },
    },
    boot: readText(libc, "/proc/sys/kernel/random/boot_id")?.trim() ?? "",
    processes: new Processes(libc),
    openFiles: new OpenFiles(libc),
  });
  const opened = resources.move();
  return {
    mount,
    async close() {
      // Unmounts whatever else fails.
      using _mounted = opened;
      mount.interrupt();
      // The answers go out before the loop has ended.
      await loop.close();
      mount.close();
    },
  };
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

/** Who this process is: the daemon has no permission to ask Deno. */
function ownerOfSelf(libc: Libc): { uid: number; gid: number } {
  using self = openPath(libc, "/proc/self", O_PATH);
  const { uid, gid } = statCached(self);
  return { uid, gid };
}

function orUndefined<Value>(make: () => Value): Value | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof SystemError) return undefined;
    throw error;
  }
}
