import { SystemError } from "../core/system_error.ts";
import { cString, type Libc } from "./libc.ts";

const PROT_READ_WRITE = 1 | 2;
const MAP_PRIVATE_ANONYMOUS = 0x02 | 0x20;
const POINTER_BYTES = 8;

/**
 * Becomes another program: same process, same environment, same open standard streams. Signals
 * and exit status need no forwarding, since there is only one process.
 *
 * @param path The program's file
 * @param args Its arguments, the name it is called by first
 * @throws {SystemError} when the kernel refuses; otherwise this never returns
 */
export function execute(libc: Libc, path: string, args: readonly string[]): never {
  const { symbols } = libc;
  const words = args.map(cString);
  const tableBytes = (words.length + 1) * POINTER_BYTES;
  const totalBytes = words.reduce((sum, word) => sum + word.byteLength, tableBytes);
  const base = libc.check(
    symbols.mmap(0n, BigInt(totalBytes), PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0n),
    "mmap",
    "argument list",
  );
  const table = new BigUint64Array(words.length + 1);
  let address = base + BigInt(tableBytes);
  for (const [index, word] of words.entries()) {
    symbols.memcpy_from_js(address, word, BigInt(word.byteLength));
    table[index] = address;
    address += BigInt(word.byteLength);
  }
  symbols.execv(cString(path), table);
  throw new SystemError(libc.errno(), "execv", path);
}
