/**
 * What Deno's files leave to their users: whole reads and writes.
 *
 * @module
 */

/**
 * Fills a buffer from where the file stands.
 *
 * @returns How many bytes were read; fewer than the buffer has only at the end of the file
 */
export async function readFully(file: Deno.FsFile, into: Uint8Array): Promise<number> {
  let done = 0;
  while (done < into.byteLength) {
    const count = await file.read(into.subarray(done));
    if (count === null) break;
    done += count;
  }
  return done;
}

/** Writes all bytes to where the file stands. */
export async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.byteLength;) done += await file.write(bytes.subarray(done));
}

/** Removes a file; nothing happens when there is none. */
export async function removeIfPresent(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/**
 * Gives a damaged file another name beside its own, so that nothing of it is lost and nobody takes it
 * for a good one.
 *
 * @returns Its path now; `undefined` when there is no such file
 */
export async function setAside(path: string): Promise<string | undefined> {
  for (let n = 1;; n++) {
    const aside = `${path}.damaged-${n}`;
    if (await exists(aside)) continue;
    try {
      await Deno.rename(path, aside);
      return aside;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  }
}

/** The same for a copy: the file itself stays. */
export function copyAside(path: string): string {
  for (let n = 1;; n++) {
    const aside = `${path}.damaged-${n}`;
    try {
      Deno.lstatSync(aside);
    } catch {
      Deno.copyFileSync(path, aside);
      return aside;
    }
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
