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
