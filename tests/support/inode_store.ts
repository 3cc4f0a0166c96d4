import { PAGE_BYTES } from "../../src/core/limits.ts";
import type { RootFolder } from "../../src/core/ports/root_folder.ts";
import type { CachingInode } from "../../src/inodes/content/caching_inode.ts";
import type { InodeRequest } from "../../src/inodes/backing/opening.ts";
import type { InodeStoreParts } from "../../src/inodes/store/inode_maker.ts";
import { InodeStore } from "../../src/inodes/store/store.ts";
import { HostRoot } from "../../src/native/host_root.ts";
import { Libc } from "../../src/native/libc.ts";
import { MappedCacheFiles } from "../../src/native/mapped_cache_file.ts";
import { JournalFiles } from "../../src/storage/journal_file.ts";
import { FakeClock } from "./clock.ts";
import { CollectedEvents } from "./events.ts";
import { MemoryCacheFiles, MemoryJournals, MemoryRoot } from "./memory_files.ts";
import { SeededRandom } from "./random.ts";

export const PAGE = PAGE_BYTES;

/** A store in memory, with the parts that a test makes misbehave. */
export class MemoryStore {
  readonly root = new MemoryRoot();
  readonly caches = new MemoryCacheFiles();
  readonly journals = new MemoryJournals();
  readonly clock = new FakeClock();
  readonly events = new CollectedEvents();
  store: InodeStore;

  constructor(readonly options: Partial<InodeStoreParts> = {}) {
    this.store = this.#make();
  }

  /** The same files, seen by a process that was started after this one died. */
  restart(bootId = "boot-1"): InodeStore {
    this.store = this.#make(bootId);
    return this.store;
  }

  #make(bootId = "boot-1"): InodeStore {
    return new InodeStore({
      roots: new Map<string, RootFolder>([["r", this.root]]),
      caches: this.caches,
      journals: this.journals,
      clock: this.clock,
      events: this.events,
      random: new SeededRandom(Math.floor(Math.random() * 2 ** 32)),
      bootId,
      ...this.options,
    });
  }
}

/** A store on real files in temporary folders. */
export class HostStore implements AsyncDisposable {
  readonly folder: string;
  readonly state: string;
  readonly libc = Libc.open();
  readonly root: HostRoot;
  readonly events = new CollectedEvents();
  readonly store: InodeStore;

  /** @param places Folders to make, of which the other is a temporary one */
  constructor(
    options: Partial<InodeStoreParts> = {},
    places: { readonly folder?: string; readonly state?: string } = {},
  ) {
    this.folder = madeFolder(places.folder, "innkeeper-root-");
    this.state = madeFolder(places.state, "innkeeper-state-");
    this.root = new HostRoot(this.libc, this.folder);
    this.store = this.again(options);
  }

  /** Another store on the same files, as the next process has it. */
  again(options: Partial<InodeStoreParts> = {}): InodeStore {
    return new InodeStore({
      roots: new Map([["r", this.root]]),
      caches: new MappedCacheFiles(this.libc, `${this.state}/inodes`),
      journals: new JournalFiles(`${this.state}/inodes`),
      clock: new FakeClock(),
      events: this.events,
      random: new SeededRandom(Math.floor(Math.random() * 2 ** 32)),
      bootId: "boot-1",
      ...options,
    });
  }

  /** Path of a file in the root. */
  path(name: string): string {
    return `${this.folder}/${name}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store.close();
    this.root[Symbol.dispose]();
    this.libc[Symbol.dispose]();
    await Deno.remove(this.folder, { recursive: true });
    await Deno.remove(this.state, { recursive: true });
  }
}

function madeFolder(path: string | undefined, prefix: string): string {
  if (path === undefined) return Deno.makeTempDirSync({ prefix });
  Deno.mkdirSync(path);
  return path;
}

/** Opens `f` in root `r` for writing, unless `request` says otherwise. */
export async function openInode(
  store: InodeStore,
  request: Partial<InodeRequest> = {},
): Promise<CachingInode> {
  const { inode } = await store.open({
    root: "r",
    path: "f",
    access: "rw",
    cache: "own",
    create: "if-missing",
    permissions: 0o644,
    holder: "test",
    ...request,
  });
  return inode;
}

/** Reads a range of an inode, up to its end. */
export async function readOf(
  inode: CachingInode,
  offset = 0,
  length = Number(inode.size) - offset,
): Promise<Uint8Array> {
  const into = new Uint8Array(length);
  return into.subarray(0, await inode.read(into, BigInt(offset)));
}

/** Bytes that differ from page to page and from `salt` to `salt`. */
export function pattern(length: number, salt = 0): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(
    { length },
    (_, at) => (at * 31 + Math.floor(at / PAGE) * 7 + salt) % 251 + 1,
  );
}
