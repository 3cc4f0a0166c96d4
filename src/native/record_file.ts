import { SystemError } from "../core/system_error.ts";
import { AT_FDCWD, O_APPEND, O_CREAT, O_RDWR, O_TRUNC } from "./constants.ts";
import { type Descriptor, openPath } from "./descriptor.ts";
import { cString, type Libc } from "./libc.ts";
import { readText } from "./proc_text.ts";

const encoder = new TextEncoder();

/** A text file on tmpfs that is appended to on the event loop. */
export class RecordFile implements Disposable {
  readonly #libc: Libc;
  readonly #path: string;
  #file: Descriptor;

  constructor(libc: Libc, path: string) {
    this.#libc = libc;
    this.#path = path;
    this.#file = this.#open(path, 0);
  }

  read(): string {
    return readText(this.#libc, this.#path) ?? "";
  }

  /** @throws {SystemError} ENOSPC */
  append(text: string): void {
    write(this.#file, text);
  }

  /** Puts other content in the place of all, at once. @throws {SystemError} */
  replace(text: string): void {
    const path = `${this.#path}.new`;
    const file = this.#open(path, O_TRUNC);
    try {
      write(file, text);
      const { renameat } = this.#libc.symbols;
      const renamed = renameat(AT_FDCWD, cString(path), AT_FDCWD, cString(this.#path));
      this.#libc.check(renamed, "renameat", path);
    } catch (error) {
      file[Symbol.dispose]();
      throw error;
    }
    this.#file[Symbol.dispose]();
    this.#file = file;
  }

  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }

  #open(path: string, flags: number): Descriptor {
    return openPath(this.#libc, path, O_RDWR | O_CREAT | O_APPEND | flags, 0o600);
  }
}

function write({ libc, number, subject }: Descriptor, text: string): void {
  const bytes = encoder.encode(text);
  const written = libc.symbols.write(number, bytes, BigInt(bytes.byteLength));
  if (libc.check(written, "write", subject) === BigInt(bytes.byteLength)) return;
  throw new SystemError("ENOSPC", "write", subject);
}
