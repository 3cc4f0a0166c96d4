/**
 * A device of the host that shows a changing value, or a file of the same layout. It is read with
 * calls, never through a mapping: whoever truncates a mapped file kills its reader.
 */
export interface HostDevice {
  /** Where it was found, for people. */
  readonly path: string;
  /**
   * Up to `count` bytes from its start; fewer only where it ends.
   *
   * @returns `undefined` when it has nothing to read now (EAGAIN)
   * @throws {SystemError}
   */
  read(count: number): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /**
   * Writes to a device. To a file nothing is ever written: it is somebody else's.
   *
   * @returns Whether it was written
   * @throws {SystemError}
   */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<boolean>;
  /**
   * Waits, without holding up anything else.
   *
   * @param timeoutMs How long at most, in milliseconds
   * @returns `news` as soon as it has something to read; `nothing` when the time is up;
   * `unpollable` at once when it does not tell of news
   * @throws {SystemError}
   */
  wait(timeoutMs: number): Promise<"news" | "nothing" | "unpollable">;
  /** Lets go of it, after a wait that is under way. */
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
export type OpenHostDevice = (path: string, notThis: string) => HostDevice | undefined;
