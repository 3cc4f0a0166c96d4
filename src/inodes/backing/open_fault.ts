import { Fault, type FaultCode } from "../../core/faults.ts";
import { PATH_BYTES_MAX } from "../../core/limits.ts";
import { NotRegularFileError, RemoteError, SystemError } from "../../core/system_error.ts";

/** Faults by the errno of an open. Any other errno is `backing-failed`. */
const OPEN_FAULTS: Readonly<Record<string, readonly [FaultCode, string]>> = {
  EXDEV: ["outside-root", "it leads out of the root"],
  ELOOP: ["outside-root", "it leads through a magic link or too many links"],
  ENOENT: ["file-not-found", "there is no such file; create makes one"],
  EEXIST: ["file-exists", "there is something by this name already"],
  ENOTDIR: ["not-a-file", "a part of it is no folder"],
  EISDIR: ["not-a-file", "it is a folder"],
  EINVAL: ["value-not-allowed", "the host takes it for invalid"],
  ENAMETOOLONG: ["value-not-allowed", "a name in it is too long"],
  EACCES: ["file-not-permitted", "the host does not let Innkeeper open it"],
  EPERM: ["file-not-permitted", "the host does not let Innkeeper open it"],
  EDEADLK: ["file-not-permitted", "it is below the mount that Innkeeper serves itself"],
  EROFS: ["root-read-only", "its file system is read-only"],
  EMFILE: ["open-inodes-exhausted", "the process has no file descriptor left"],
  ENFILE: ["open-inodes-exhausted", "the host has no file descriptor left"],
  ENOSPC: ["backing-full", "its file system is full"],
  EDQUOT: ["backing-full", "its quota is used up"],
  EMLINK: ["value-not-allowed", "the file has as many names as its file system lets it have"],
};

/** Throws the fault of a path that the host does not open, and any other error as it is. */
export function asOpenFault(path: string): (error: unknown) => never {
  return (error) => {
    throw error instanceof SystemError ? openFault(error, path) : error;
  };
}

/** The fault of a path that the host does not open. */
export function openFault(error: SystemError, path: string): Fault {
  const [code, why] = error instanceof RemoteError
    ? [error.code ?? OPEN_FAULTS[error.errno]?.[0] ?? "backing-failed", error.why] as const
    : error instanceof NotRegularFileError
    ? ["not-a-file", "it is no regular file"] as const
    : OPEN_FAULTS[error.errno] ?? ["backing-failed", `${error.call} gave ${error.errno}`];
  return new Fault(code, `Cannot open "${path.slice(0, 200)}": ${why}`, { cause: error });
}

/**
 * Refuses paths that no host call can take.
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
