import { MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, PROT_WRITE } from "./constants.ts";
import type { Libc } from "./libc.ts";

/**
 * Memory outside of JavaScript, filled with zeros. Calls that take an address need it, since Deno
 * gives no address of its own memory under a scoped FFI grant.
 *
 * @param purpose How errors call it
 * @returns Its address; whoever asked for it unmaps it
 * @throws {SystemError} when it cannot be had
 */
export function allocate(libc: Libc, bytes: number, purpose: string): bigint {
  const [protection, flags] = [PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS];
  const address = libc.symbols.mmap(0n, BigInt(bytes), protection, flags, -1, 0n);
  return libc.check(address, "mmap", purpose);
}
