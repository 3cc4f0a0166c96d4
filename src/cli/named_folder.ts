import { UsageError } from "./exit.ts";

/**
 * Opens what a flag names.
 *
 * @param what Names it in the message
 * @throws {UsageError} when the host refuses
 */
export function openNamed<Opened>(what: string, open: () => Opened): Opened {
  try {
    return open();
  } catch (cause) {
    throw new UsageError(`Cannot use ${what}: ${(cause as Error).message}`, { cause });
  }
}

/**
 * Makes a folder and those above it, unless they are there.
 *
 * @throws {UsageError} when the host refuses
 */
export function makeFolder(path: string, mode = 0o700): string {
  openNamed(`the folder ${path}`, () => Deno.mkdirSync(path, { recursive: true, mode }));
  return path;
}

/** Makes the folder of published pages: for all to enter, whatever the umask, if it is made now. */
export function makeRunFolder(path: string): void {
  let isThere = true;
  try {
    isThere = Deno.lstatSync(path).isDirectory;
  } catch {
    isThere = false;
  }
  makeFolder(path, 0o755);
  if (!isThere) Deno.chmodSync(path, 0o755);
}
