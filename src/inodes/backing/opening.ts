import { Fault } from "../../core/faults.ts";
import type { BackingFile } from "../../core/ports/backing_file.ts";
import type { RemoteFiles } from "../../core/ports/remote_files.ts";
import type { OpenedBacking, OpenRequest, RootFolder } from "../../core/ports/root_folder.ts";
import { hasErrno, RemoteError, SystemError } from "../../core/system_error.ts";
import type { CacheMode } from "./cache_modes.ts";
import { asOpenFault, requirePath } from "./open_fault.ts";

/** How an inode was opened. Those who share it open it alike. */
export interface InodeModes {
  readonly access: OpenRequest["access"];
  readonly cache: CacheMode;
}

/** How whoever opens an inode holds it. */
interface HoldRequest {
  readonly holder: string;
  /** The hold ends when it was not renewed for so long, by an open of the same holder. */
  readonly leaseMs?: number | undefined;
}

/** A file below a root that a client asks to open. */
export interface InodeRequest extends InodeModes, HoldRequest {
  readonly root: string;
  readonly path: string;
  readonly create: OpenRequest["create"];
  /** Permission bits of a file that is made. */
  readonly permissions: number;
  /** Reads leave the access time alone; also where the root says so. */
  readonly noatime?: boolean;
  /** In the mode `host`: whether a translation covers no more than one fill window. */
  readonly limitTranslation?: boolean;
  /** Whether only the daemon itself can find the inode. */
  readonly isHidden?: boolean;
}

/** A remote file that a client asks to open, read-only and in the mode `own`. */
export interface RemoteRequest extends HoldRequest {
  readonly url: string;
}

/**
 * Opens the file that a request names, below its root.
 *
 * @throws {Fault} as the host's answer means
 */
export async function openBacking(
  roots: ReadonlyMap<string, RootFolder>,
  request: InodeRequest,
): Promise<OpenedBacking> {
  const { root, path, access, create, permissions, noatime = false } = request;
  const folder = roots.get(root);
  if (folder === undefined) {
    throw new Fault("root-not-found", `Cannot open in root "${root}": no --root has this name`);
  }
  if (folder.readOnly && (access === "rw" || create !== "never")) {
    throw new Fault("root-read-only", `Cannot write in root "${root}": it is read-only`);
  }
  requirePath(path);
  return await folder.open({ path, access, create, permissions, noatime })
    .catch(asOpenFault(`${root}/${path}`));
}

/**
 * Opens the remote file that a request names.
 *
 * @throws {Fault} `outside-root`, `file-not-found`, `file-not-permitted`, and each `remote-…`
 */
export async function openRemote(
  remotes: RemoteFiles | undefined,
  { url }: RemoteRequest,
): Promise<BackingFile> {
  try {
    if (remotes === undefined) throw new SystemError("EXDEV", "open", url);
    return await remotes.open(url);
  } catch (error) {
    const isForeign = hasErrno(error, "EXDEV") && !(error instanceof RemoteError);
    if (!isForeign) return asOpenFault(url)(error);
    throw new Fault(
      "outside-root",
      `Cannot open "${url.slice(0, 200)}": it begins with no prefix that --remote allows`,
      { cause: error },
    );
  }
}
