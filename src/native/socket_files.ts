import { S_IFSOCK } from "../core/file_type.ts";
import type { SocketFiles, SocketNode } from "../core/ports/socket_files.ts";
import { SystemError } from "../core/system_error.ts";
import { AT_FDCWD, O_NOFOLLOW, O_PATH } from "./constants.ts";
import { openPath } from "./descriptor.ts";
import { cString, type Libc } from "./libc.ts";
import { statCached } from "./statx.ts";

/** The files of sockets, anywhere on the host: Deno grants access to the run folder only. */
export class NativeSocketFiles implements SocketFiles {
  readonly #libc: Libc;

  constructor(libc: Libc) {
    this.#libc = libc;
  }

  nodeAt(path: string): SocketNode | undefined {
    try {
      using file = openPath(this.#libc, path, O_PATH | O_NOFOLLOW);
      const { type, device, inode } = statCached(file);
      if (type !== S_IFSOCK) throw new SystemError("ENOTSOCK", "open", path);
      return { device: String(device), inode: String(inode) };
    } catch (error) {
      if (error instanceof SystemError && error.errno === "ENOENT") return undefined;
      throw error;
    }
  }

  move(from: string, to: string): void {
    // A link and an unlink, since rename(2) would replace what is there.
    const [old, place] = [cString(from), cString(to)];
    const { symbols } = this.#libc;
    this.#libc.check(symbols.linkat(AT_FDCWD, old, AT_FDCWD, place, 0), "link", to);
    this.#libc.check(symbols.unlinkat(AT_FDCWD, old, 0), "unlink", from);
  }

  remove(path: string, node: SocketNode): void {
    try {
      const found = this.nodeAt(path);
      if (found?.device !== node.device || found.inode !== node.inode) return;
      this.#libc.symbols.unlinkat(AT_FDCWD, cString(path), 0);
    } catch (error) {
      // It is somebody else's by now.
      if (!(error instanceof SystemError)) throw error;
    }
  }
}
