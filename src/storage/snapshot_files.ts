import type { SnapshotFile, SnapshotStore } from "../core/ports/snapshot_store.ts";
import { asSystemError, hasErrno, SystemError } from "../core/system_error.ts";
import { readFully, writeAll } from "../native/files.ts";

const ID = /^[a-z0-9][a-z0-9._-]{0,63}$/;
const SUFFIX = ".snapshot";
const UNFINISHED = ".unfinished";

/**
 * Snapshots as files of one folder, `<id>.snapshot`. They hold the memory of guests, so only this
 * user can read them.
 */
export class SnapshotFiles implements SnapshotStore {
  private constructor(readonly folder: string) {}

  /**
   * Makes the folder if it is missing, and removes files that a crash left unfinished.
   *
   * @param folder Such as `/var/lib/innkeeper/snapshots`
   * @throws {SystemError}
   */
  static async open(folder: string): Promise<SnapshotFiles> {
    await host("mkdir", folder, () => Deno.mkdir(folder, { recursive: true, mode: 0o700 }));
    for (const name of await namesIn(folder)) {
      if (!name.endsWith(UNFINISHED)) continue;
      await host("unlink", name, () => Deno.remove(`${folder}/${name}`));
    }
    return new SnapshotFiles(folder);
  }

  async put(id: string, bytes: Uint8Array): Promise<void> {
    const path = this.#path(id);
    const unfinished = `${path}${UNFINISHED}`;
    try {
      await host("write", unfinished, () => writeDurably(unfinished, bytes));
      await host("rename", path, () => Deno.rename(unfinished, path));
      await host("fsync", this.folder, () => syncFolder(this.folder));
    } catch (error) {
      await Deno.remove(unfinished).catch(() => {});
      throw error;
    }
  }

  async ids(): Promise<readonly string[]> {
    return (await namesIn(this.folder))
      .filter((name) => name.endsWith(SUFFIX))
      .map((name) => name.slice(0, -SUFFIX.length))
      // A file of another name is not ours, and stays as it is.
      .filter((id) => ID.test(id))
      .sort();
  }

  async open(id: string): Promise<SnapshotFile | undefined> {
    const path = this.#path(id);
    const file = await found(() => host("open", path, () => Deno.open(path)));
    if (file === undefined) return undefined;
    using undo = new DisposableStack();
    undo.use(file);
    const { size: sizeBytes } = await host("stat", path, () => file.stat());
    undo.move();
    return {
      sizeBytes,
      read: (length) => host("read", path, () => readNext(file, length)),
      [Symbol.dispose]: () => file.close(),
    };
  }

  async delete(id: string): Promise<boolean> {
    const path = this.#path(id);
    const removed = await found(async () => {
      await host("unlink", path, () => Deno.remove(path));
      await host("fsync", this.folder, () => syncFolder(this.folder));
      return true;
    });
    return removed ?? false;
  }

  #path(id: string): string {
    if (!ID.test(id)) throw new SystemError("EINVAL", "open", JSON.stringify(id));
    return `${this.folder}/${id}${SUFFIX}`;
  }
}

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true, truncate: true, mode: 0o600 });
  await writeAll(file, bytes);
  await file.sync();
}

async function readNext(file: Deno.FsFile, length: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  return bytes.subarray(0, await readFully(file, bytes));
}

/** A rename survives a loss of power only when its folder is on stable storage too. */
async function syncFolder(path: string): Promise<void> {
  using folder = await Deno.open(path);
  await folder.sync();
}

async function namesIn(folder: string): Promise<string[]> {
  return await host("readdir", folder, async () => {
    const names: string[] = [];
    for await (const { name } of Deno.readDir(folder)) names.push(name);
    return names;
  });
}

async function found<Answer>(call: () => Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await call();
  } catch (error) {
    if (hasErrno(error, "ENOENT")) return undefined;
    throw error;
  }
}

async function host<Answer>(
  call: string,
  subject: string,
  action: () => Promise<Answer>,
): Promise<Answer> {
  try {
    return await action();
  } catch (error) {
    throw asSystemError(error, call, subject);
  }
}
