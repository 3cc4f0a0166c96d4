/**
 * A call to the host that failed. Adapters throw it; domains turn it into a
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
