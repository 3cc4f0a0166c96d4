import { UsageError } from "./exit.ts";

/**
 * The content of a file, or of standard input when it is called `-`.
 *
 * @throws {UsageError} when it cannot be opened
 */
export async function openInput(file: string): Promise<ReadableStream<Uint8Array<ArrayBuffer>>> {
  try {
    return file === "-" ? Deno.stdin.readable : (await Deno.open(file)).readable;
  } catch (cause) {
    throw new UsageError(`Cannot read ${file}: ${(cause as Error).message}`, { cause });
  }
}
