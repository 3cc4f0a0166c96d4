import { O_CLOEXEC, O_RDONLY } from "./constants.ts";
import { cString, type Libc } from "./libc.ts";

const BUFFER_BYTES = 16 * 1024;
const decoder = new TextDecoder();

/**
 * A text file of /proc, read on the event loop: it never waits for storage.
 *
 * @returns `undefined` when there is none, or it may not be read
 */
export function readText(libc: Libc, path: string): string | undefined {
  const { symbols } = libc;
  const fd = symbols.open(cString(path), O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return undefined;
  let text = "";
  for (;;) {
    const bytes = new Uint8Array(BUFFER_BYTES);
    const read = Number(symbols.read(fd, bytes, BigInt(bytes.byteLength)));
    if (read > 0) text += decoder.decode(bytes.subarray(0, read));
    if (read > 0) continue;
    symbols.close(fd);
    return read < 0 ? undefined : text;
  }
}
