/**
 * A device of the host that shows a changing value, or a file of the same layout. It is read with
 * calls, never through a mapping: if somebody truncated a mapped file, its reader would be killed.
 */
export interface HostDevice {
  /** Its path, for people. */
  readonly path: string;
  /**
   * Up to `count` bytes from its start; fewer only where it ends.
   *
   * @returns `undefined` when it has nothing to read now (EAGAIN)
   * @throws {SystemError}
   */
  read(count: number): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /**
   * Writes to a device. A file is never written to, since it belongs to somebody else.
   *
   * @returns Whether it was written
   * @throws {SystemError}
   */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<boolean>;
  /**
   * Waits for a new value, without blocking the event loop.
   *
   * @param timeoutMs How long at most, in milliseconds
   * @returns `news` as soon as there is something to read; `nothing` when the time is up;
   * `unpollable` at once when it cannot report new values
   * @throws {SystemError}
   */
  wait(timeoutMs: number): Promise<"news" | "nothing" | "unpollable">;
  /** Closes it, after a wait that is in progress. */
  close(): Promise<void>;
}

/**
 * Opens a device of the host, or a file in its place.
 *
 * @param notThis A file that the device must not be: a counter that followed itself would never
 * rest
 * @returns `undefined` when there is no such device
 * @throws {SystemError}
 */
export type OpenHostDevice = (path: string, notThis: string) => Promise<HostDevice | undefined>;
