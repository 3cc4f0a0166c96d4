import { setImmediate } from "node:timers";
import { PROCESSES_PER_TURN, U64_MAX } from "../core/limits.ts";
import { hasErrno } from "../core/system_error.ts";
import { O_DIRECTORY, O_PATH, O_RDONLY } from "./constants.ts";
import { openPath } from "./descriptor.ts";
import { readDirents } from "./dirents.ts";
import type { Libc } from "./libc.ts";
import { Processes } from "./processes.ts";
import { statCached } from "./statx.ts";

const decoder = new TextDecoder();

/** A file by its device and inode number in decimal. */
export type FileId = `${string}:${bigint}`;

/** What a search of all processes found. */
export interface FilesInUse {
  /** Files that a process has open. */
  readonly found: ReadonlySet<FileId>;
  /**
   * When the last of the processes began that may not be looked at, in clock ticks since boot;
   * `undefined` when all could be looked at. Such a process may have any file.
   */
  readonly unseenTicks: bigint | undefined;
}

/** What the descriptors of one process lead to; `unseen` when it may not be looked at. */
type Look = ReadonlySet<FileId> | "unseen";

/** Searches the open files of all processes. */
export class OpenFiles {
  readonly #libc: Libc;
  readonly #processes: Processes;

  constructor(libc: Libc) {
    this.#libc = libc;
    this.#processes = new Processes(libc);
  }

  /**
   * Those of the given files that a process has open. It asks nobody for attributes, so that a file
   * system that does not answer holds nothing up.
   *
   * @throws {SystemError} when this process itself cannot look, for want of descriptors for one
   */
  async filesInUse(files: ReadonlySet<FileId>): Promise<FilesInUse> {
    const found = new Set<FileId>();
    let unseenTicks: bigint | undefined;
    const processes = this.#names("/proc").filter((name) => /^[0-9]+$/.test(name));
    for (const [index, process] of processes.entries()) {
      const look = this.#lookAt(process);
      if (look === "unseen") {
        const ticks = BigInt(this.#processes.startTicks(Number(process)) ?? U64_MAX);
        if (ticks > (unseenTicks ?? -1n)) unseenTicks = ticks;
      } else for (const file of files) if (look.has(file)) found.add(file);
      if (found.size === files.size) break;
      if (index % PROCESSES_PER_TURN !== 0) continue;
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    return { found, unseenTicks };
  }

  #lookAt(process: string): Look {
    const folder = `/proc/${process}/fd`;
    try {
      const fds = orGone(() => this.#names(folder)) ?? [];
      return new Set(fds.flatMap((fd) => orGone(() => this.#fileAt(`${folder}/${fd}`)) ?? []));
    } catch (error) {
      if (hasErrno(error, "EACCES", "EPERM")) return "unseen";
      throw error;
    }
  }

  #names(folder: string): string[] {
    using open = openPath(this.#libc, folder, O_RDONLY | O_DIRECTORY);
    return readDirents(open).map(({ name }) => decoder.decode(name));
  }

  #fileAt(path: string): FileId {
    using node = openPath(this.#libc, path, O_PATH);
    const { device, inode } = statCached(node);
    return `${device}:${inode}`;
  }
}

/** `undefined` when the process or its descriptor is gone. */
function orGone<Value>(look: () => Value): Value | undefined {
  try {
    return look();
  } catch (error) {
    if (hasErrno(error, "ENOENT", "ESRCH")) return undefined;
    throw error;
  }
}
