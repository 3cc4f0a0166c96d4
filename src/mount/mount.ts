import type { UserGrant } from "../access/grants.ts";
import type { EventSink } from "../core/ports/events.ts";
import type { Clock } from "../core/ports/clock.ts";
import { MOUNT_HELD_LOOK_MS } from "../core/limits.ts";
import type { Scopes } from "../generations/scopes.ts";
import type { Guests } from "../guests/guests.ts";
import type { FuseDevice } from "../native/fuse_device.ts";
import type { OpenFiles } from "../native/open_files.ts";
import type { Processes } from "../native/processes.ts";
import type { ReadinessLoop } from "../native/readiness_loop.ts";
import { Callers } from "./callers.ts";
import type { CopiedPages } from "./copied_pages.ts";
import { FileWatchers } from "./file_watchers.ts";
import { guestsFolder } from "./guest_folders.ts";
import type { MountJournal } from "./journal.ts";
import { MapPages, type PublishedPages } from "./map_pages.ts";
import type { MountedFolder } from "./node.ts";
import { scopesFolder } from "./scope_folders.ts";
import { MountServer } from "./server.ts";

/** What a mount joins. */
interface MountParts {
  readonly device: FuseDevice;
  readonly loop: ReadinessLoop;
  readonly processes: Processes;
  readonly openFiles: OpenFiles;
  readonly published: PublishedPages;
  readonly copiedPages: CopiedPages;
  readonly journal: MountJournal;
  readonly scopes: Scopes;
  readonly guests: Guests;
  readonly clock: Clock;
  readonly events: EventSink;
  /** The daemon's own user and group. */
  readonly uid: number;
  readonly gid: number;
  /** The boot of the host. */
  readonly boot: string;
  readonly grants: readonly UserGrant[];
}

const NO_MESSAGES: readonly Uint8Array<ArrayBuffer>[] = [];

/** The parts of the daemon as files below one folder. */
export class Mount {
  readonly #parts: MountParts;
  readonly #server: MountServer;
  readonly #pages: MapPages;
  readonly #watchers: FileWatchers;
  #remove: () => void = () => {};
  #cancelLook: (() => void) | undefined;

  private constructor(parts: MountParts) {
    const { device, processes, scopes, guests, clock, uid, gid, grants } = parts;
    this.#parts = parts;
    const { journal } = parts;
    this.#pages = new MapPages(device, parts.published, parts.copiedPages, journal);
    const mount = { device: device.device, boot: parts.boot };
    this.#watchers = new FileWatchers(scopes, parts.openFiles, mount);
    const callers = new Callers(processes, uid, grants);
    const own = { pages: this.#pages, watchers: this.#watchers, changes: journal };
    const scopeParts = { scopes, callers, clock, ...own };
    this.#server = new MountServer({
      root: rootFolder([
        ["scopes", scopesFolder(scopeParts)],
        ["guests", guestsFolder({ guests, callers, clock })],
      ], callers),
      journal,
      uid,
      gid,
      send: (message) => device.send(message),
      isOwnCall: (thread) => device.isOwnCall(thread),
      onError: (error) => this.#report(error),
    });
  }

  /**
   * Serves the device, of which an earlier process may have files open.
   *
   * @param takeWaiting Gives the requests that were read already
   */
  static async open(parts: MountParts, takeWaiting = () => NO_MESSAGES): Promise<Mount> {
    const mount = new Mount(parts);
    await mount.#server.restore();
    for (const message of takeWaiting()) mount.#receive(message);
    mount.#remove = parts.loop.add({ fd: parts.device.fd, work: () => mount.#work() });
    mount.#lookForHeld();
    return mount;
  }

  /** What the mount is doing, for people and metrics. */
  get status(): MountStatus {
    const { folder } = this.#parts.device;
    const { nodes, handles, waiting } = this.#server.open;
    const { ownPages } = this.#pages;
    return { folder, nodes, handles, waiting, ownPages, operations: this.#server.counts };
  }

  /** Answers whoever waits. Nothing waits any longer than this. */
  interrupt(): void {
    this.stopLooking();
    this.#server.interruptAll();
  }

  /** Looks no longer whether files of dead mounts are open. */
  stopLooking(): void {
    this.#cancelLook?.();
  }

  /**
   * Serves no longer. Programs that map a page go on to see it. The watchers of
   * files that are open stay: the next process holds them.
   */
  close(): void {
    this.#remove();
  }

  #work(): boolean {
    try {
      const message = this.#parts.device.read();
      if (message === undefined) return false;
      if (message !== "gone") this.#receive(message);
      else this.#lose();
      return message !== "gone";
    } catch (error) {
      this.#report(error);
      this.#lose();
      return false;
    }
  }

  #receive(message: Uint8Array<ArrayBuffer>): void {
    try {
      this.#server.receive(message);
    } catch (error) {
      this.#report(error);
    }
  }

  /** Somebody else has unmounted it, or the device has failed. */
  #lose(): void {
    this.#remove();
    this.#report("the mount is dead: the files of it that are open cannot be used any more");
    this.#watchers.mountLost();
    this.#server.lose();
    this.#lookForHeld();
  }

  /** Looks from time to time whether files of a dead mount are still open somewhere. */
  #lookForHeld(): void {
    this.#cancelLook?.();
    const again = (): void => {
      this.#cancelLook = this.#parts.clock.after(MOUNT_HELD_LOOK_MS, () => this.#lookForHeld());
    };
    this.#watchers.releaseGone().then((held) => held > 0 && again(), again);
  }

  #report(error: unknown): void {
    const { events, device } = this.#parts;
    events.emit({ kind: "mount.failed", subject: device.folder, reason: String(error), data: {} });
  }
}

/** What {@linkcode Mount.status} tells. */
interface MountStatus {
  readonly folder: string;
  /** Nodes that the kernel knows, files that are open, and calls that wait. */
  readonly nodes: number;
  readonly handles: number;
  readonly waiting: number;
  /** Pages that single programs map. */
  readonly ownPages: number;
  /** Requests received, by operation. */
  readonly operations: ReadonlyMap<string, number>;
}

function rootFolder(
  folders: readonly (readonly [string, MountedFolder])[],
  callers: Callers,
): MountedFolder {
  return {
    kind: "folder",
    path: "/",
    timeNs: () => 0n,
    lookup(name, call) {
      callers.known(call);
      return this.find(name);
    },
    find: (name) => folders.find(([known]) => known === name)?.[1],
    list(call) {
      callers.known(call);
      return folders.map(([name]) => ({ name, kind: "folder" }));
    },
  };
}
