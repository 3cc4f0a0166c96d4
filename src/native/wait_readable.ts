import { POLLFD_STRUCT, POLLIN } from "./constants.ts";
import type { Libc } from "./libc.ts";

/** Waits on a thread until a descriptor is readable or its other end is closed. */
export async function waitReadable(libc: Libc, fd: number, timeoutMs: number): Promise<boolean> {
  const pollfd = new Uint8Array(POLLFD_STRUCT.size);
  const view = new DataView(pollfd.buffer);
  view.setInt32(POLLFD_STRUCT.fd, fd, true);
  view.setInt16(POLLFD_STRUCT.events, POLLIN, true);
  return await libc.symbols.poll_thread(pollfd, 1n, timeoutMs) > 0;
}
