import type { UserGrant } from "../access/grants.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { EventSink } from "../core/ports/events.ts";
import { SystemError } from "../core/system_error.ts";
import type { Scopes } from "../generations/scopes.ts";
import type { Guests } from "../guests/guests.ts";
import type { Libc } from "../native/libc.ts";
import { ReadOnlyFolder } from "../native/mount_pages.ts";
import { OpenFiles } from "../native/open_files.ts";
import { readText } from "../native/proc_text.ts";
import { Processes } from "../native/processes.ts";
import { ReadinessLoop } from "../native/readiness_loop.ts";
import { RecordFile } from "../native/record_file.ts";
import type { CopiedPages } from "./copied_pages.ts";
import { MountJournal } from "./journal.ts";
import type { Borrowed } from "./lent_mount.ts";
import type { PublishedPages } from "./map_pages.ts";
import { Mount } from "./mount.ts";
import { mountDevice, ownerOfSelf } from "./mount_device.ts";

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

/** A mount, and how it ends. */
interface OpenedMount {
  readonly mount: Mount;
  close(): Promise<void>;
}

/**
 * Mounts the parts of the daemon on a folder.
 *
 * @throws {SystemError} as `mountDevice` does
 */
export async function openMount(
  libc: Libc,
  { folder, pages, grants }: MountOptions,
  ports: MountPorts,
): Promise<OpenedMount> {
  const { clock } = ports;
  using resources = new DisposableStack();
  const published = publishedPages(libc, pages, resources);
  const device = await mountDevice(libc, { folder, others: grants.length > 0, clock });
  resources.defer(() => device.close());
  const loop = new ReadinessLoop(libc);
  const journal = new MountJournal();
  const own = { device, loop, grants, published, journal, ...hostParts(libc) };
  const mount = await Mount.open({ ...ports, ...own });
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

/**
 * Serves a mount that the launcher keeps, and goes on with what is open in it.
 *
 * @param journalPath A file on tmpfs, for the daemon that comes after this one
 */
export async function serveLent(
  libc: Libc,
  { pages, grants, journalPath }: Omit<MountOptions, "folder"> & { readonly journalPath: string },
  borrowed: Borrowed,
  ports: MountPorts,
): Promise<OpenedMount> {
  using resources = new DisposableStack();
  const published = publishedPages(libc, pages, resources);
  const file = resources.use(new RecordFile(libc, journalPath));
  const journal = new MountJournal(file, borrowed.session);
  const { device, loop } = borrowed;
  const own = { device, loop, grants, published, journal, ...hostParts(libc) };
  const mount = await Mount.open({ ...ports, ...own }, () => borrowed.take());
  const opened = resources.move();
  return {
    mount,
    async close() {
      using _files = opened;
      mount.stopLooking();
      // Nobody is answered from here on: whoever waits will be answered by the next daemon.
      await borrowed.close();
      mount.close();
    },
  };
}

function hostParts(libc: Libc) {
  return {
    ...ownerOfSelf(libc),
    boot: readText(libc, "/proc/sys/kernel/random/boot_id")?.trim() ?? "",
    processes: new Processes(libc),
    openFiles: new OpenFiles(libc),
  };
}

/** The published pages, through a mount of their own that is read-only. */
function publishedPages(
  libc: Libc,
  folder: string,
  resources: DisposableStack,
): PublishedPages {
  const published = orUndefined(() => resources.use(new ReadOnlyFolder(libc, folder)));
  return {
    openPublished(scope, name) {
      if (published === undefined) throw new SystemError("EPERM", "open_tree", folder);
      return published.open(`${scope}/${name}`);
    },
  };
}

function orUndefined<Value>(make: () => Value): Value | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof SystemError) return undefined;
    throw error;
  }
}
