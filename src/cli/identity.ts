import { dirname } from "node:path/posix";
import { environment } from "./environment.ts";
import { UsageError } from "./exit.ts";

/** What a watcher remembers of itself. */
interface Stored {
  readonly token?: string;
  /** The epoch that it confirmed last, as a decimal number. */
  readonly epoch?: string;
}

/** A watcher's token in a file, so that a process that was killed comes back as the same watcher. */
export class Identity implements Disposable {
  readonly #path: string;
  readonly #file: Deno.FsFile;
  #stored: Stored = {};

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

  /** The token of the process before, if there was one, and what that has confirmed last. */
  async read(): Promise<Stored> {
    await this.#file.seek(0, Deno.SeekMode.Start);
    const [token = "", epoch = ""] = (await new Response(streamOf(this.#file)).text()).trim()
      .split("\n");
    this.#stored = {
      ...token === "" ? {} : { token },
      ...token === "" || epoch === "" ? {} : { epoch },
    };
    return this.#stored;
  }

  /** Stores the next token, or what was confirmed. It is on stable storage when this returns. */
  store(change: Stored): void {
    this.#stored = { ...this.#stored, ...change };
    const { token = "", epoch = "" } = this.#stored;
    const bytes = new TextEncoder().encode(`${token}\n${epoch}\n`);
    // In one write, and shortened only after it: a kill at any time leaves a token to come back with.
    this.#file.seekSync(0, Deno.SeekMode.Start);
    this.#file.writeSync(bytes);
    this.#file.truncateSync(bytes.length);
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
