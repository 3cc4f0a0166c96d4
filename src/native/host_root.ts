import { THREADS_PER_ROOT_MAX } from "../core/limits.ts";
import type { OpenedBacking, OpenRequest, RootFolder } from "../core/ports/root_folder.ts";
import { hasErrno, SystemError } from "../core/system_error.ts";
import { ConfinedFolder } from "./confined_folder.ts";
import { RESOLVE_BENEATH, RESOLVE_NO_MAGICLINKS } from "./constants.ts";
import { HostFile } from "./host_file.ts";
import type { Libc } from "./libc.ts";
import { NonblockingReader } from "./nonblocking_reader.ts";
import { lookUp, openContent } from "./root_paths.ts";
import { isSameNode, statCached } from "./statx.ts";
import { ThreadShare } from "./thread_share.ts";

/** Times that an open is tried again while others rename or make things on the way. */
const OPEN_TRIES = 16;
/** EAGAIN: something was renamed while `..` was resolved. The others: made or removed just now. */
const RACES = ["EAGAIN", "EEXIST", "ENOENT"];

/** How a root is served. */
interface HostRootOptions {
  readonly readOnly?: boolean;
  /** Reads leave the access time alone, where the owner of the file permits it. */
  readonly noatime?: boolean;
  /** How many calls may wait for its storage at once. */
  readonly threads?: number;
}

/** A folder of this host as a root. */
export class HostRoot implements RootFolder, Disposable {
  readonly readOnly: boolean;
  readonly noatime: boolean;
  readonly #root: ConfinedFolder;
  readonly #reader: NonblockingReader;

  /** @throws {SystemError} when the folder cannot be opened; ENOTDIR when it is none */
  constructor(libc: Libc, readonly folder: string, options: HostRootOptions = {}) {
    this.readOnly = options.readOnly ?? false;
    this.noatime = options.noatime ?? false;
    const threads = new ThreadShare(options.threads ?? THREADS_PER_ROOT_MAX);
    const resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
    this.#root = new ConfinedFolder(libc, folder, resolve, threads);
    this.#reader = new NonblockingReader(libc);
  }

  async open({ noatime = false, ...rest }: OpenRequest): Promise<OpenedBacking> {
    const request = { ...rest, noatime: this.noatime || noatime };
    const { path, create } = request;
    for (let tries = 1;; tries++) {
      const found = await lookUp(this.#root, path);
      const created = found === undefined;
      if (created && create === "never") throw new SystemError("ENOENT", "openat2", path);
      if (!created && create === "exclusive") throw new SystemError("EEXIST", "openat2", path);
      try {
        const opened = await openContent(this.#root, request, created);
        const attributes = statCached(opened);
        if (created || isSameNode(found, attributes)) {
          const hostPath = `${this.folder}/${path}`;
          const opening = { root: this.#root, reader: this.#reader, request, hostPath };
          return { file: new HostFile(opened, attributes, opening), created };
        }
        await opened.close();
      } catch (error) {
        if (tries >= OPEN_TRIES || !hasErrno(error, ...RACES)) throw error;
      }
      if (tries >= OPEN_TRIES) throw new SystemError("EAGAIN", "openat2", path);
    }
  }

  /** Closes the folder. Files opened in it must be closed before. */
  [Symbol.dispose](): void {
    this.#reader[Symbol.dispose]();
    this.#root[Symbol.dispose]();
  }
}
