import { Fault } from "../../core/faults.ts";
import { hasErrno } from "../../core/system_error.ts";

/** Whether a look-up failed because there is nothing at the path. */
export function isMissing(error: unknown): boolean {
  return hasErrno(error, "ENOENT");
}

/** The fault of a path that cannot be read. */
export function unreadable(path: string, cause: unknown): Fault {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new Fault("device-unreadable", `Cannot read ${path}: ${reason}`, { cause });
}

/** The fault of a path that must exist. `missing` is its text when there is nothing at the path. */
export function missingOrUnreadable(path: string, cause: unknown, missing: string): Fault {
  return isMissing(cause)
    ? new Fault("no-such-device", missing, { cause })
    : unreadable(path, cause);
}
