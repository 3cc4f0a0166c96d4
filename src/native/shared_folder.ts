import { concat } from "@std/bytes";
import type { NamePath, SharedName, SharedNode, SharedTree } from "../core/ports/shared_tree.ts";
import { SystemError } from "../core/system_error.ts";
import { ConfinedFolder } from "./confined_folder.ts";
import * as linux from "./constants.ts";
import type { Descriptor } from "./descriptor.ts";
import { readDirents } from "./dirents.ts";
import type { Libc } from "./libc.ts";
import { readLinkAt } from "./read_link.ts";
import { isSameNode, requireRegular, statCached } from "./statx.ts";

const [NUL, DOT, SLASH] = [Uint8Array.of(0), Uint8Array.of(0x2e), Uint8Array.of(0x2f)];

/** Every path stays below the folder and follows no link. */
const RESOLUTION = linux.RESOLVE_BENEATH | linux.RESOLVE_NO_SYMLINKS | linux.RESOLVE_NO_MAGICLINKS;

/**
 * A folder of this host as it is shown to guests: no path leaves it and no link is followed,
 * whatever is renamed meanwhile. Names are bytes from end to end.
 */
export class SharedFolder implements SharedTree, Disposable {
  readonly #libc: Libc;
  readonly #folder: ConfinedFolder;

  /** @throws {SystemError} when the folder cannot be opened */
  constructor(libc: Libc, folder: string) {
    this.#libc = libc;
    this.#folder = new ConfinedFolder(libc, folder, RESOLUTION);
  }

  async node(path: NamePath): Promise<SharedNode> {
    using node = await this.#open(path, linux.O_PATH, "a shared node");
    const { type, permissions, ...rest } = statCached(node);
    return { ...rest, mode: type | permissions };
  }

  async names(path: NamePath): Promise<readonly SharedName[]> {
    const flags = linux.O_DIRECTORY | linux.O_NONBLOCK;
    using folder = await this.#open(path, flags, "a shared folder");
    return readDirents(folder);
  }

  async link(path: NamePath): Promise<Uint8Array> {
    using link = await this.#open(path, linux.O_PATH, "a shared link");
    return readLinkAt(link, "", link.subject);
  }

  async read(
    path: NamePath,
    expected: Pick<SharedNode, "device" | "inode">,
    at: bigint,
    length: number,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const subject = "a shared file";
    // Looked at before it is opened, so that no device is woken and no writer of a FIFO let go.
    using looked = await this.#open(path, linux.O_PATH, subject);
    const before = statCached(looked);
    requireRegular(before, "read", subject);
    using file = await this.#open(path, linux.O_NONBLOCK | linux.O_NOCTTY, subject);
    if (!isSameNode(before, expected) || !isSameNode(statCached(file), expected)) {
      throw new SystemError("ESTALE", "read", "another file");
    }
    const buffer = new Uint8Array(length);
    const args = [file.number, buffer, BigInt(length), at] as const;
    return buffer.subarray(0, Number(await this.#libc.onThread("pread", [...args], subject)));
  }

  #open(path: NamePath, flags: number, subject: string): Promise<Descriptor> {
    const names = path.length === 0
      ? [DOT]
      : path.flatMap((name, index) => index === 0 ? [name] : [SLASH, name]);
    return this.#folder.open(concat([...names, NUL]), subject, flags | linux.O_NOFOLLOW);
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]();
  }
}
