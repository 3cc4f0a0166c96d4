import { STREAM_PART_BYTES } from "../core/limits.ts";
import type { Spool, Spools } from "../core/ports/spool.ts";
import { asSystemError, SystemError } from "../core/system_error.ts";
import { writeAll } from "../native/files.ts";

/** Spools as files without a name, so that the host frees them when the process ends. */
export class SpoolFiles implements Spools {
  /** @param folder Is made when it is missing; its parent must exist */
  constructor(readonly folder: string) {
    Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
  }

  async create(): Promise<Spool> {
    try {
      const path = `${this.folder}/${crypto.randomUUID()}`;
      const file = await Deno.open(path, { read: true, write: true, createNew: true, mode: 0o600 });
      try {
        await Deno.remove(path);
        return new SpoolFile(file, this.folder);
      } catch (error) {
        file.close();
        throw error;
      }
    } catch (error) {
      throw asSystemError(error, "write", this.folder);
    }
  }
}

class SpoolFile implements Spool {
  readonly #file: Deno.FsFile;
  readonly #folder: string;
  #bytes = 0;

  constructor(file: Deno.FsFile, folder: string) {
    this.#file = file;
    this.#folder = folder;
  }

  get byteLength(): number {
    return this.#bytes;
  }

  async append(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    try {
      await writeAll(this.#file, bytes);
      this.#bytes += bytes.byteLength;
    } catch (error) {
      throw asSystemError(error, "write", this.#folder);
    }
  }

  async *parts(): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    await this.#file.seek(0, Deno.SeekMode.Start);
    for (let left = this.#bytes; left > 0;) {
      const part = new Uint8Array(Math.min(left, STREAM_PART_BYTES));
      const read = await this.#file.read(part);
      if (read === null) throw new SystemError("EIO", "read", this.#folder);
      yield part.subarray(0, read);
      left -= read;
    }
  }

  close(): void {
    this.#file.close();
  }
}
