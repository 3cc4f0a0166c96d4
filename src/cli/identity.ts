import { dirname } from "node:path/posix";
import { environment } from "./environment.ts";
import { UsageError } from "./exit.ts";

/** A watcher's token in a file, so that a process that was killed comes back as the same watcher. */
export class Identity implements Disposable {
  readonly #path: string;
  readonly #file: Deno.FsFile;

  private constructor(path: string, file: Deno.FsFile) {
    this.#path = path;
    this.#file = file;
  }

  /**
   * Opens the file for this process alone.
   *
   * @param path Made when it is missing, with the folders above it
   * @returns `undefined` when another process has it
   * @throws {UsageError} when it cannot be used
   */
  static async open(path: string): Promise<Identity | undefined> {
    try {
      await Deno.mkdir(dirname(path), { recursive: true, mode: 0o700 });
      const options = { read: true, write: true, create: true, mode: 0o600 };
      const file = await Deno.open(path, options);
      if (await file.tryLock(true)) return new Identity(path, file);
      file.close();
      return undefined;
    } catch (error) {
      throw new UsageError(`Cannot use identity file ${path}: ${(error as Error).message}`);
    }
  }

  /** The token of the process before, if there was one. */
  async token(): Promise<string | undefined> {
    await this.#file.seek(0, Deno.SeekMode.Start);
    const text = (await new Response(streamOf(this.#file)).text()).trim();
    return text === "" ? undefined : text;
  }

  /** Stores the next token. It is on stable storage when this returns. */
  store(token: string): void {
    this.#file.truncateSync(0);
    this.#file.seekSync(0, Deno.SeekMode.Start);
    this.#file.writeSync(new TextEncoder().encode(`${token}\n`));
    this.#file.syncDataSync();
  }

  /** Removes the file, because the watcher was released. */
  remove(): void {
    Deno.removeSync(this.#path);
  }

  [Symbol.dispose](): void {
    this.#file.close();
  }
}

/** Reads a file without closing it. */
function streamOf(file: Deno.FsFile): ReadableStream<Uint8Array<ArrayBuffer>> {
  return new ReadableStream({
    async pull(controller): Promise<void> {
      const bytes = new Uint8Array(256);
      const count = await file.read(bytes);
      if (count === null) controller.close();
      else controller.enqueue(bytes.subarray(0, count));
    },
  });
}

/**
 * Where the identity of a watcher is by default; `undefined` when the user has no state folder.
 *
 * @param address Of the daemon: another one knows nothing of this watcher
 */
export async function identityPath(
  address: string,
  scope: string,
  name: string,
): Promise<string | undefined> {
  const home = environment.env("HOME");
  const state = environment.env("XDG_STATE_HOME") ?? (home && `${home}/.local/state`);
  const text = new TextEncoder().encode([address, scope, name].join("\n"));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", text)).toHex();
  return state && `${state}/innkeeper/watchers/${digest.slice(0, 32)}.token`;
}
