import { SystemError } from "../core/system_error.ts";
import { cString, type Libc } from "./libc.ts";
import { allocate } from "./memory.ts";

/**
 * Becomes another program: same process, same environment, same open standard streams. Signals
 * and exit status need no forwarding, since there is only one process.
 *
 * @param path The program's file
 * @param args Its arguments, the name it is called by first
 * @throws {SystemError} when the kernel refuses; otherwise this never returns
 */
export function execute(libc: Libc, path: string, args: readonly string[]): never {
  libc.symbols.execv(cString(path), stringTable(libc, args));
  throw new SystemError(libc.errno(), "execv", path);
}

/** A list of strings as C has it: their addresses, and then a null pointer. It stays for good. */
export function stringTable(libc: Libc, texts: readonly string[]): BigUint64Array<ArrayBuffer> {
  const strings = texts.map(cString);
  const base = allocate(libc, strings.reduce((sum, s) => sum + s.length, 1), "argument list");
  const table = new BigUint64Array(strings.length + 1);
  let address = base;
  for (const [index, string] of strings.entries()) {
    libc.symbols.memcpy_from_js(address, string, BigInt(string.length));
    table[index] = address;
    address += BigInt(string.length);
  }
  return table;
}
