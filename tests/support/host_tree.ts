import { HOST_DIR_ENTRIES_MAX, HOST_FILE_BYTES_MAX } from "../../src/core/limits.ts";
import type { HostNode, HostNodeIdentity, HostTree } from "../../src/core/ports/host_tree.ts";
import { NotRegularFileError, SystemError } from "../../src/core/system_error.ts";

/** Builds a host's tree, in memory or in a folder. Parent folders are made where they are missing. */
export interface HostTreeBuilder {
  directory(path: string): Promise<void>;
  file(path: string, content: string | Uint8Array<ArrayBuffer>): Promise<void>;
  link(path: string, target: string): Promise<void>;
  /** Another name of a node that is there. */
  hardLink(path: string, existing: string): Promise<void>;
  socket(path: string): Promise<void>;
  fifo(path: string): Promise<void>;
  /** A device file; needs root in a folder. */
  device(path: string, kind: "block" | "char", major: number, minor: number): Promise<void>;
}

type Entry =
  | { readonly kind: "directory"; readonly entries: Map<string, Entry> }
  | { readonly kind: "file"; readonly content: Uint8Array<ArrayBuffer> }
  | { readonly kind: "link"; readonly target: string }
  | { readonly kind: "socket" | "fifo" }
  | { readonly kind: "block" | "char"; readonly major: number; readonly minor: number };

const LINKS_MAX = 40;

/** A host's tree in memory. A test can make any path fail. */
export class MemoryHostTree implements HostTree, HostTreeBuilder {
  readonly #root: Entry = { kind: "directory", entries: new Map() };
  /** Errno of every call on the path. */
  readonly failing = new Map<string, string>();
  readonly #inodes = new WeakMap<Entry, bigint>();
  readonly #fileSystems = new WeakMap<Entry, { major: number; minor: number }>();
  #lastInode = 0;
  /** Every path that a call was made on. */
  readonly calls: string[] = [];

  // deno-lint-ignore require-await -- a failed call must reject, as the port says
  async stat(path: string): Promise<HostNode> {
    const entry = this.#find(path, "stat");
    const isDevice = entry.kind === "block" || entry.kind === "char";
    return {
      kind: entry.kind === "link" ? "other" : entry.kind,
      rdevMajor: isDevice ? entry.major : 0,
      rdevMinor: isDevice ? entry.minor : 0,
      sizeBytes: entry.kind === "file" ? BigInt(entry.content.length) : 0n,
    };
  }

  async identify(path: string): Promise<HostNodeIdentity> {
    const node = await this.stat(path);
    const entry = this.#find(path, "stat");
    const { major, minor } = this.#fileSystems.get(entry) ?? { major: 0, minor: 1 };
    const inode = this.#inodes.get(entry) ?? BigInt(++this.#lastInode);
    this.#inodes.set(entry, inode);
    return { ...node, deviceMajor: major, deviceMinor: minor, inode };
  }

  // deno-lint-ignore require-await -- a failed call must reject, as the port says
  async readFile(path: string): Promise<Uint8Array<ArrayBuffer>> {
    const content = this.#contentOf(path);
    if (content.length > HOST_FILE_BYTES_MAX) throw new SystemError("EFBIG", "read", path);
    return content.slice();
  }

  // deno-lint-ignore require-await -- a failed call must reject, as the port says
  async readAt(path: string, offset: number, count: number): Promise<Uint8Array<ArrayBuffer>> {
    return this.#contentOf(path).slice(offset, offset + count);
  }

  // deno-lint-ignore require-await -- a failed call must reject, as the port says
  async readLink(path: string): Promise<string> {
    const entry = this.#find(path, "readlink", false);
    if (entry.kind !== "link") throw new SystemError("EINVAL", "readlink", path);
    return entry.target;
  }

  // deno-lint-ignore require-await -- a failed call must reject, as the port says
  async list(path: string): Promise<readonly string[]> {
    const entry = this.#find(path, "open");
    if (entry.kind !== "directory") throw new SystemError("ENOTDIR", "open", path);
    if (entry.entries.size > HOST_DIR_ENTRIES_MAX) {
      throw new SystemError("EOVERFLOW", "getdents64", path);
    }
    // The order of code points is the order of UTF-8 bytes; plain sort() goes by UTF-16 units.
    return [...entry.entries.keys()].sort((a, b) => {
      const [left, right] = [[...a], [...b]].map((text) => text.map((c) => c.codePointAt(0) ?? 0));
      const at = left?.findIndex((point, i) => point !== right?.[i]) ?? -1;
      return at === -1 ? a.length - b.length : (left?.[at] ?? 0) - (right?.[at] ?? -1);
    });
  }

  directory(path: string): Promise<void> {
    this.#make(path);
    return Promise.resolve();
  }

  file(path: string, content: string | Uint8Array<ArrayBuffer>): Promise<void> {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    return this.#put(path, { kind: "file", content: bytes });
  }

  link(path: string, target: string): Promise<void> {
    return this.#put(path, { kind: "link", target });
  }

  hardLink(path: string, existing: string): Promise<void> {
    return this.#put(path, this.#find(existing, "link"));
  }

  /** Says that the node at a path is on the file system of this device. */
  onDevice(path: string, major: number, minor: number): void {
    this.#fileSystems.set(this.#find(path, "stat"), { major, minor });
  }

  /** Removes a name. */
  remove(path: string): void {
    const end = path.lastIndexOf("/");
    this.#make(path.slice(0, end)).delete(path.slice(end + 1));
  }

  socket(path: string): Promise<void> {
    return this.#put(path, { kind: "socket" });
  }

  fifo(path: string): Promise<void> {
    return this.#put(path, { kind: "fifo" });
  }

  device(path: string, kind: "block" | "char", major: number, minor: number): Promise<void> {
    return this.#put(path, { kind, major, minor });
  }

  #contentOf(path: string): Uint8Array<ArrayBuffer> {
    const entry = this.#find(path, "open");
    if (entry.kind === "file") return entry.content;
    if (entry.kind === "directory") throw new SystemError("EISDIR", "open", path);
    throw new NotRegularFileError("open", path);
  }

  #put(path: string, entry: Entry): Promise<void> {
    const end = path.lastIndexOf("/");
    this.#make(path.slice(0, end)).set(path.slice(end + 1), entry);
    return Promise.resolve();
  }

  #make(path: string): Map<string, Entry> {
    let at = this.#root;
    for (const name of path.split("/").filter((part) => part !== "")) {
      if (at.kind !== "directory") throw new Error(`${path}: not a folder on the way`);
      const next: Entry = at.entries.get(name) ?? { kind: "directory", entries: new Map() };
      at.entries.set(name, next);
      at = next;
    }
    if (at.kind !== "directory") throw new Error(`${path}: not a folder`);
    return at.entries;
  }

  #find(path: string, call: string, followLast = true): Entry {
    this.calls.push(path);
    const errno = this.failing.get(path);
    if (errno !== undefined) throw new SystemError(errno, call, path);
    const way: Entry[] = [this.#root];
    const rest = path.split("/");
    for (let links = 0; rest.length > 0;) {
      const name = rest.shift() as string;
      const at = way.at(-1) as Entry;
      if (at.kind !== "directory") throw new SystemError("ENOTDIR", call, path);
      if (name === "" || name === ".") continue;
      if (name === "..") {
        if (way.length > 1) way.pop();
        continue;
      }
      const entry = at.entries.get(name);
      if (entry === undefined) throw new SystemError("ENOENT", call, path);
      if (entry.kind !== "link" || (rest.length === 0 && !followLast)) {
        way.push(entry);
        continue;
      }
      if (++links > LINKS_MAX) throw new SystemError("ELOOP", call, path);
      if (entry.target.startsWith("/")) way.length = 1;
      rest.unshift(...entry.target.split("/"));
    }
    return way.at(-1) as Entry;
  }
}

/** A host's tree in a folder of this machine, for the real adapter. */
export class FolderBuilder implements HostTreeBuilder {
  readonly #sockets: Deno.Listener[] = [];

  private constructor(readonly folder: string) {}

  static async create(): Promise<FolderBuilder> {
    return new FolderBuilder(await Deno.makeTempDir({ prefix: "innkeeper-tree-" }));
  }

  async directory(path: string): Promise<void> {
    await Deno.mkdir(this.folder + path, { recursive: true });
  }

  async file(path: string, content: string | Uint8Array<ArrayBuffer>): Promise<void> {
    await this.#parentOf(path);
    if (typeof content === "string") await Deno.writeTextFile(this.folder + path, content);
    else await Deno.writeFile(this.folder + path, content);
  }

  async link(path: string, target: string): Promise<void> {
    await this.#parentOf(path);
    await Deno.symlink(target, this.folder + path);
  }

  async hardLink(path: string, existing: string): Promise<void> {
    await this.#parentOf(path);
    await Deno.link(this.folder + existing, this.folder + path);
  }

  async socket(path: string): Promise<void> {
    await this.#parentOf(path);
    this.#sockets.push(Deno.listen({ transport: "unix", path: this.folder + path }));
  }

  async fifo(path: string): Promise<void> {
    await this.#parentOf(path);
    await this.#run("mkfifo", this.folder + path);
  }

  async device(path: string, kind: "block" | "char", major: number, minor: number): Promise<void> {
    await this.#parentOf(path);
    const type = kind === "block" ? "b" : "c";
    await this.#run("mknod", this.folder + path, type, String(major), String(minor));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.close();
    await Deno.remove(this.folder, { recursive: true });
  }

  async #parentOf(path: string): Promise<void> {
    await this.directory(path.slice(0, path.lastIndexOf("/")));
  }

  async #run(command: string, ...args: readonly string[]): Promise<void> {
    const { success, stderr } = await new Deno.Command(command, { args: [...args] }).output();
    if (!success) throw new Error(`${command}: ${new TextDecoder().decode(stderr)}`);
  }
}
