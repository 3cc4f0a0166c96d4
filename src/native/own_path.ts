import type { Libc } from "./libc.ts";

const ROOT = 0;
/** Group and others may write. */
const WRITABLE = 0o022;

/**
 * Why a file or folder is not this user's alone to change, and what to do about it, as ssh says it of
 * a key. Where it is a symbolic link, what it leads to counts.
 *
 * @returns `undefined` when only this user, and root, can change it
 */
export function whyNotOwn(libc: Libc, path: string): string | undefined {
  const { uid, mode } = Deno.statSync(path);
  const own = libc.symbols.geteuid();
  if (uid !== own && uid !== ROOT) {
    return `it belongs to user ${uid}, who can change it: look at what is in it, and chown it to ` +
      `user ${own}`;
  }
  if (((mode ?? 0) & WRITABLE) === 0) return undefined;
  const shown = ((mode ?? 0) & 0o7777).toString(8);
  return `its mode ${shown} lets others write: look at what is in it, and take that away with ` +
    `chmod go-w ${path}`;
}
