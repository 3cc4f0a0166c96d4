import { O_CLOEXEC } from "./constants.ts";
import { cString, type Libc } from "./libc.ts";

/** An open file descriptor. Disposing of it closes it. */
export class Descriptor implements Disposable {
  /** @param subject How errors call what is open */
  constructor(readonly libc: Libc, readonly number: number, readonly subject: string) {}

  [Symbol.dispose](): void {
    this.libc.symbols.close(this.number);
  }
}

/**
 * Opens a path, wherever it leads. No program that Innkeeper starts inherits the descriptor.
 *
 * @param flags As for open(2)
 * @param mode Permission bits of a file that is made
 * @throws {SystemError}
 */
export function openPath(libc: Libc, path: string, flags: number, mode = 0): Descriptor {
  const fd = libc.symbols.open(cString(path), flags | O_CLOEXEC, mode);
  return new Descriptor(libc, libc.check(fd, "open", path), path);
}
