import { Fault, type FaultCode } from "../core/faults.ts";
import { PATH_BYTES_MAX } from "../core/limits.ts";
import type { BackingFile } from "../core/ports/backing_file.ts";
import type { RemoteFiles } from "../core/ports/remote_files.ts";
import type { OpenedBacking, OpenRequest, RootFolder } from "../core/ports/root_folder.ts";
import { SystemError } from "../core/system_error.ts";

/** How an inode was opened. Those who share it open it alike. */
export interface InodeModes {
  readonly access: "ro" | "rw";
  /** Whose cache holds its pages: the host's, or one of Innkeeper's own. */
  readonly cache: "host" | "own";
}

/** How whoever opens an inode holds it. */
export interface HoldRequest {
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
}

/** A remote file that a client asks to open, read-only and in the mode `own`. */
export interface RemoteRequest extends HoldRequest {
  readonly url: string;
}

/** What the errnos of an open mean; any other is `backing-failed`. */
const OPEN_FAULTS: Readonly<Record<string, readonly [FaultCode, string]>> = {
  EXDEV: ["outside-root", "it leads out of the root"],
  ELOOP: ["outside-root", "it leads through a magic link or too many links"],
  ENOENT: ["file-not-found", "there is no such file; create makes one"],
  EEXIST: ["file-exists", "there is something by this name already"],
  ENOTDIR: ["not-a-file", "a part of it is no folder"],
  EISDIR: ["not-a-file", "it is a folder"],
  EINVAL: ["not-a-file", "it is no regular file"],
  ENAMETOOLONG: ["value-not-allowed", "a name in it is too long"],
  EACCES: ["file-not-permitted", "the host does not let Innkeeper open it"],
  EPERM: ["file-not-permitted", "the host does not let Innkeeper open it"],
  EROFS: ["root-read-only", "its file system is read-only"],
  EMFILE: ["open-inodes-exhausted", "the process has no file descriptor left"],
  ENFILE: ["open-inodes-exhausted", "the host has no file descriptor left"],
  ENOSPC: ["backing-full", "its file system is full"],
  EDQUOT: ["backing-full", "its quota is used up"],
  EMLINK: ["value-not-allowed", "the file has as many names as its file system lets it have"],
};

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
    const known = [...roots.keys()].join(", ") || "none";
    throw new Fault("root-not-found", `Cannot open in root "${root}": roots are ${known}`);
  }
  if (folder.readOnly && (access === "rw" || create !== "never")) {
    throw new Fault("root-read-only", `Cannot write in root "${root}": it is read-only`);
  }
  requirePath(path);
  try {
    return await folder.open({ path, access, create, permissions, noatime });
  } catch (error) {
    throw error instanceof SystemError ? openFault(error, `${root}/${path}`) : error;
  }
}

/**
 * Opens the remote file that a request names.
 *
 * @throws {Fault} `outside-root`, `file-not-found`, `file-not-permitted`, `backing-failed`
 */
export async function openRemote(
  remotes: RemoteFiles | undefined,
  { url }: RemoteRequest,
): Promise<BackingFile> {
  try {
    if (remotes === undefined) throw new SystemError("EXDEV", "open", url);
    return await remotes.open(url);
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    if (error.errno !== "EXDEV") throw openFault(error, url);
    throw new Fault(
      "outside-root",
      `Cannot open "${url.slice(0, 200)}": it begins with no prefix that --remote allows`,
      { cause: error },
    );
  }
}

/** What the host's answer to an open of a path means. */
export function openFault(error: SystemError, path: string): Fault {
  const [code, why] = OPEN_FAULTS[error.errno] ??
    ["backing-failed", `${error.call} gave ${error.errno}`];
  return new Fault(code, `Cannot open "${path.slice(0, 200)}": ${why}`, { cause: error });
}

/**
 * Lets only paths through that the host can be asked for.
 *
 * @throws {Fault} `value-not-allowed`
 */
export function requirePath(path: string): void {
  const bytes = new TextEncoder().encode(path).byteLength;
  if (bytes > 0 && bytes < PATH_BYTES_MAX && !path.includes("\0")) return;
  throw new Fault(
    "value-not-allowed",
    `Cannot open a path of ${bytes} bytes: it must have 1 to ${PATH_BYTES_MAX - 1} bytes ` +
      "and no zero byte",
  );
}
