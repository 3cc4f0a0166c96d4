import type { Caller } from "../core/rights.ts";
import type { LiveScope } from "../generations/live_scope.ts";
import type { Scopes } from "../generations/scopes.ts";
import type { Watcher, WatchingProcess } from "../generations/watcher.ts";
import type { FileId, FilesInUse } from "../native/open_files.ts";
import type { ProcessInfo } from "../native/processes.ts";
import type { SavedWatcher } from "./journal.ts";
import { inodeNumber } from "./nodes.ts";

/** Looks for processes that have files open. */
interface OpenFileSearch {
  /** Those of the given files that a living process has open. @throws when it cannot be known */
  filesInUse(files: ReadonlySet<FileId>): Promise<FilesInUse>;
}

/** A mounted file system. */
interface MountIdentity {
  /** Number of its device. */
  readonly device: bigint;
  /** The boot of the host. */
  readonly boot: string;
}

/** Path of the driver's file of a scope, from the root of the mount. */
export function sysgenidPath(scope: string): string {
  return `/scopes/${scope}/sysgenid`;
}

/**
 * The watchers of open files over the life of the daemon. Those of an earlier process are held, and
 * block, until their process opens the file again, or no process has the file of the dead mount any
 * more (docs/mount.md#2).
 */
export class FileWatchers {
  readonly #scopes: Scopes;
  readonly #search: OpenFileSearch;
  readonly #mount: MountIdentity;
  #isMounted = true;
  /** Whether there may be watchers of a dead mount. */
  #mayHold = true;

  constructor(scopes: Scopes, search: OpenFileSearch, mount: MountIdentity) {
    this.#scopes = scopes;
    this.#search = search;
    this.#mount = mount;
  }

  /** Registers an open file of a caller. @returns Its watcher, as another process must know it */
  async open(
    scope: LiveScope,
    name: string,
    info: ProcessInfo | undefined,
    by: Pick<Caller, "name" | "may">,
  ): Promise<SavedWatcher> {
    const { pid = 0, comm = "", startTicks = "0" } = info ?? {};
    const { device, boot } = this.#mount;
    const process = { pid, comm, startTicks, mount: String(device), boot };
    const earlier = this.#mayHold && info !== undefined &&
      this.#held(scope).find((held) => isSameProcess(held.process, process));
    const watcher = await scope.watchers.open(name, process, by);
    // One for one: the process may not have opened its other files again yet.
    if (earlier) await scope.watchers.release(earlier.id).catch(() => {});
    const { id, ackedEpoch } = watcher;
    const saved = { id, name, owner: by.name, pid, comm, startTicks };
    return { ...saved, ackedEpoch: String(ackedEpoch) };
  }

  /** Goes on with an open file that an earlier process has registered. */
  async reopen(scope: LiveScope, saved: SavedWatcher): Promise<void> {
    const { id, name, owner, pid, comm, startTicks, ackedEpoch } = saved;
    const { device, boot } = this.#mount;
    await scope.watchers.reopen(
      { id, name, ackedEpoch: BigInt(ackedEpoch) },
      { pid, comm, startTicks, mount: String(device), boot },
      { name: owner, may: () => false },
    );
  }

  /** The mount has died while this process lives. */
  mountLost(): void {
    this.#isMounted = false;
    this.#mayHold = true;
  }

  /**
   * Releases the watchers of dead mounts whose files nobody has any more.
   *
   * @returns How many are still held
   * @throws when it cannot be known who has the files: then all are held
   */
  async releaseGone(): Promise<number> {
    const held = this.#scopes.list().flatMap((scope) =>
      this.#held(scope).map((watcher) => {
        return { scope, watcher, file: this.#fileOf(scope, watcher.process) };
      })
    );
    const files = new Set(held.flatMap(({ file }) => file ?? []));
    const inUse = files.size === 0 ? NONE_IN_USE : await this.#search.filesInUse(files);
    const gone = held.filter(({ file, watcher: { process } }) =>
      file === undefined || !mayHave(process, file, inUse)
    );
    await Promise.allSettled(
      gone.map(({ scope, watcher }) => scope.watchers.release(watcher.id)),
    );
    this.#mayHold = held.length > gone.length;
    return held.length - gone.length;
  }

  /** The file of a dead mount; `undefined` when nobody can have it any more. */
  #fileOf(scope: LiveScope, process: WatchingProcess | undefined): FileId | undefined {
    if (process === undefined || process.boot !== this.#mount.boot) return undefined;
    // A device number that this mount has got again is free of the dead one.
    if (this.#isMounted && process.mount === String(this.#mount.device)) return undefined;
    return `${process.mount}:${inodeNumber(sysgenidPath(scope.state.name))}`;
  }

  #held(scope: LiveScope): Watcher[] {
    return [...scope.state.watchers].filter(({ process, presence }) =>
      process !== undefined && presence === "held"
    );
  }
}

const NONE_IN_USE: FilesInUse = { found: new Set(), unseenTicks: undefined };

/**
 * Whether a process may have the file of a watcher: it does, or it may not be looked at and began
 * after the one that opened the file, so that it may be a child of that one.
 */
function mayHave(
  opener: WatchingProcess | undefined,
  file: FileId,
  { found, unseenTicks }: FilesInUse,
): boolean {
  if (found.has(file)) return true;
  return unseenTicks !== undefined && unseenTicks >= BigInt(opener?.startTicks ?? 0);
}

function isSameProcess(a: WatchingProcess | undefined, b: WatchingProcess): boolean {
  return a?.pid === b.pid && a.startTicks === b.startTicks && a.boot === b.boot;
}
