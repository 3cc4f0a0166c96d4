import * as linux from "./constants.ts";
import type { Libc } from "./libc.ts";

/**
 * What has to stand between two stores of this thread into shared memory, so that no other
 * processor sees the second without the first.
 *
 * x86-64 keeps stores in order, so nothing is needed there. arm64 does not. membarrier(2) is the
 * barrier that the C library's callers can have without an instruction of their own.
 *
 * @param architecture Which processor; tests ask for either
 * @returns Makes the barrier
 * @throws {SystemError} when the kernel refuses membarrier
 */
export function storeFence(
  libc: Libc,
  architecture: typeof Deno.build.arch = Deno.build.arch,
): () => void {
  if (architecture === "x86_64") return () => {};
  const membarrier = (command: number): void => {
    const result = libc.symbols.syscall_membarrier(linux.SYS_membarrier, command, 0, 0);
    libc.check(result, "membarrier", "stores into pages");
  };
  membarrier(linux.MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
  return () => membarrier(linux.MEMBARRIER_CMD_PRIVATE_EXPEDITED);
}
