import type { FaultCode } from "./faults.ts";

/**
 * A failed call to the host or to storage. Adapters throw it; domains turn it into a
 * {@linkcode Fault} that says what it means for the caller.
 */
export class SystemError extends Error {
  override readonly name = "SystemError";

  /**
   * @param errno POSIX name, such as `ENOENT`; `E<number>` where the name is not known
   * @param call The system call, such as `openat2`
   * @param subject What it was called on, such as a path
   */
  constructor(readonly errno: string, readonly call: string, readonly subject: string) {
    super(`${call} ${subject}: ${errno}`);
  }
}

/**
 * A call that needs a regular file met a device, FIFO, socket or link. A class of its own, since
 * the kernel answers EINVAL for many other reasons. A folder is EISDIR, as in POSIX.
 */
export class NotRegularFileError extends SystemError {
  constructor(call: string, subject: string) {
    super("EINVAL", call, subject);
  }
}

/** What another machine answered, or did not. A class of its own, since no errno says it. */
export class RemoteError extends SystemError {
  /**
   * @param code Code of the fault that says it; `undefined` where the errno does
   * @param why What went wrong and what to do, for people
   */
  constructor(
    errno: string,
    call: string,
    subject: string,
    readonly code: FaultCode | undefined,
    readonly why: string,
  ) {
    super(errno, call, subject);
  }
}

/** Whether an error is a {@linkcode SystemError} with one of these names. */
export function hasErrno(error: unknown, ...errnos: readonly string[]): error is SystemError {
  return error instanceof SystemError && errnos.includes(error.errno);
}

/** An error of the runtime as a {@linkcode SystemError}; EIO where it carries no errno. */
export function asSystemError(error: unknown, call: string, subject: string): SystemError {
  if (error instanceof SystemError) return error;
  const { code } = error as { code?: unknown };
  return new SystemError(typeof code === "string" ? code : "EIO", call, subject);
}
