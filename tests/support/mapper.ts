// A second process that maps what a translation names. Run with: FILE OFFSET LENGTH [TEXT].
// Without a text it prints the mapped bytes as text, with one it stores it at their beginning.
import * as linux from "../../src/native/constants.ts";
import { openPath } from "../../src/native/descriptor.ts";
import { Libc } from "../../src/native/libc.ts";

/** Maps a range of a file and shows it, or stores a text into it. */
export function mapped(file: string, offset: bigint, length: number, text?: string): string {
  using libc = Libc.open();
  const { symbols } = libc;
  const isWrite = text !== undefined;
  using opened = openPath(libc, file, isWrite ? linux.O_RDWR : linux.O_RDONLY);
  const prot = isWrite ? linux.PROT_READ | linux.PROT_WRITE : linux.PROT_READ;
  const address = libc.check(
    symbols.mmap(0n, BigInt(length), prot, linux.MAP_SHARED, opened.number, offset),
    "mmap",
    file,
  );
  if (isWrite) {
    const bytes = new TextEncoder().encode(text);
    symbols.memcpy_from_js(address, bytes, BigInt(bytes.byteLength));
    return "";
  }
  const bytes = new Uint8Array(length);
  symbols.memcpy_to_js(bytes, address, BigInt(length));
  return new TextDecoder("latin1").decode(bytes);
}

/** Runs this module as a process of its own. */
export async function inOtherProcess(
  file: string,
  offset: bigint,
  length: number,
  text?: string,
): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--cached-only",
      "--no-check",
      import.meta.url,
      file,
      String(offset),
      String(length),
      ...text === undefined ? [] : [text],
    ],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

const [file, offset, length, text] = Deno.args;
if (import.meta.main && file !== undefined) {
  Deno.stdout.writeSync(
    new TextEncoder().encode(mapped(file, BigInt(offset ?? 0), Number(length), text)),
  );
}
