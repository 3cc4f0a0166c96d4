import { PATH_BYTES_MAX } from "../core/limits.ts";
import type { Descriptor } from "./descriptor.ts";
import { cString } from "./libc.ts";

/**
 * Where a symbolic link leads, as it is written.
 *
 * @param from The folder that the link is in; with an empty name, the link itself
 * @param subject How errors call the link
 * @throws {SystemError} EINVAL when it is no link
 */
export function readLinkAt(
  { libc, number }: Descriptor,
  name: string,
  subject: string,
): Uint8Array<ArrayBuffer> {
  const target = new Uint8Array(PATH_BYTES_MAX);
  const size = BigInt(target.length);
  const length = libc.symbols.readlinkat(number, cString(name), target, size);
  return target.slice(0, Number(libc.check(length, "readlinkat", subject)));
}
