import { Fault } from "../core/faults.ts";
import {
  BYTES_REPLY_BYTES_MAX,
  CACHE_BYTES_DEFAULT,
  HOLDERS_PER_INODE_MAX,
  OPEN_INODES_MAX,
} from "../core/limits.ts";
import type { BackingFile } from "../core/ports/backing_file.ts";
import type { CacheFiles } from "../core/ports/cache_file.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { Journals } from "../core/ports/journal.ts";
import type { Random } from "../core/ports/random.ts";
import type { RootFolder } from "../core/ports/root_folder.ts";
import { Serial } from "../core/serial.ts";
import { SystemError } from "../core/system_error.ts";
import { Backing } from "./backing.ts";
import { CacheBudget } from "./cache_budget.ts";
import { CachedContent } from "./cached_content.ts";
import { CachingInode, inodeNotFound } from "./caching_inode.ts";
import type { Content } from "./content.ts";
import { Counters, type Counts } from "./counters.ts";
import { DirtLog } from "./dirt_log.ts";
import { HostContent } from "./host_content.ts";
import { type InodeRequest, openBacking } from "./opening.ts";
import { recover, type Recovered } from "./recovery.ts";

/** What the store needs of the world. */
export interface InodeStoreParts {
  /** The folders in which inodes may be opened, by name. */
  readonly roots: ReadonlyMap<string, RootFolder>;
  readonly caches: CacheFiles;
  readonly journals: Journals;
  readonly clock: Clock;
  readonly random: Random;
  /** Names this run of the host. */
  readonly bootId: string;
  /** Budget of cached pages, in bytes. */
  readonly cacheBytes?: number;
}

/** The figures of all inodes together; counts go on when inodes are closed. */
export interface StoreStats extends Counts {
  readonly inodes: number;
  readonly holders: number;
  readonly residentBytes: bigint;
  readonly dirtyBytes: bigint;
  readonly cacheLimitBytes: bigint;
}

const ID_BYTES = 6;

/** The open inodes: which there are, who holds them, and the cache that they share. */
export class InodeStore {
  readonly #parts: InodeStoreParts;
  readonly #budget: CacheBudget;
  readonly #totals = new Counters();
  readonly #inodes = new Map<string, CachingInode>();
  /** The same, by the file: root, device and inode number. */
  readonly #byFile = new Map<string, CachingInode>();
  /** One open or release at a time of a file. */
  readonly #gates = new Map<string, { readonly serial: Serial; users: number }>();

  constructor(parts: InodeStoreParts) {
    this.#parts = parts;
    this.#budget = new CacheBudget(parts.cacheBytes ?? CACHE_BYTES_DEFAULT);
  }

  /** Writes back what earlier processes left. To be called before anything is opened. */
  recover(): Promise<readonly Recovered[]> {
    return recover(this.#parts);
  }

  /**
   * Opens a file, or shares it when it is open already.
   *
   * @throws {Fault} `root-not-found`, `root-read-only`, `value-not-allowed`, `outside-root`,
   * `file-not-found`, `file-exists`, `file-not-permitted`, `not-a-file`, `inode-mode-differs`,
   * `holders-exhausted`, `open-inodes-exhausted`, `backing-failed`, `state-unavailable`
   */
  async open(request: InodeRequest): Promise<{ inode: CachingInode; isNew: boolean }> {
    const { file } = await openBacking(this.#parts.roots, request);
    let isTaken = false;
    try {
      const { device, inode } = file.attributes();
      const key = `${request.root}:${device}:${inode}`;
      return await this.#atGate(key, async () => {
        const open = this.#byFile.get(key);
        if (open !== undefined) {
          share(open, request);
          await open.revalidate();
          return { inode: open, isNew: false };
        }
        const made = await this.#make(file, request);
        isTaken = true;
        this.#inodes.set(made.identity.id, made);
        this.#byFile.set(key, made);
        return { inode: made, isNew: true };
      });
    } finally {
      if (!isTaken) file.close();
    }
  }

  /** @throws {Fault} `inode-not-found` */
  inode(id: string): CachingInode {
    const inode = this.#inodes.get(id);
    if (inode === undefined) throw inodeNotFound(id);
    return inode;
  }

  /** All open inodes in ascending order of their ids. */
  list(): readonly CachingInode[] {
    return [...this.#inodes.values()].sort((a, b) => a.identity.id < b.identity.id ? -1 : 1);
  }

  /**
   * The whole content of an inode.
   *
   * @param limitBytes More than this is refused
   * @throws {Fault} `inode-not-found`, `body-too-large`, `backing-failed`, `backing-changed`
   */
  async readAll(
    id: string,
    limitBytes: number = BYTES_REPLY_BYTES_MAX,
  ): Promise<Uint8Array<ArrayBuffer>> {
    const inode = this.inode(id);
    const { size } = inode;
    if (size > BigInt(limitBytes)) {
      throw new Fault(
        "body-too-large",
        `Cannot read inode ${id} whole: it has ${size} bytes and ${limitBytes} are allowed`,
      );
    }
    const bytes = new Uint8Array(Number(size));
    return bytes.subarray(0, await inode.read(bytes, 0n));
  }

  /**
   * Ends one hold. The last one writes back and closes.
   *
   * @throws {Fault} `inode-not-found`, `holder-not-found`; the fault of the write-back, after
   * which the inode stays open and held
   */
  async release(id: string, holder: string): Promise<void> {
    const key = this.#keyOf(this.inode(id));
    await this.#atGate(key, async () => {
      const inode = this.inode(id);
      if (!inode.holders.has(holder)) {
        throw new Fault(
          "holder-not-found",
          `Cannot release inode ${id}: "${holder}" does not hold it`,
        );
      }
      if (inode.holders.size === 1) {
        await inode.close();
        await this.#forget(key, inode);
      }
      inode.holders.delete(holder);
    });
  }

  stats(): StoreStats {
    const open = [...this.#inodes.values()].map((inode) => inode.stats());
    return {
      ...this.#totals.counts(),
      inodes: open.length,
      holders: open.reduce((sum, { holders }) => sum + holders, 0),
      residentBytes: open.reduce((sum, { residentBytes }) => sum + residentBytes, 0n),
      dirtyBytes: this.#budget.dirtyBytes,
      cacheLimitBytes: BigInt(this.#budget.limitBytes),
    };
  }

  /**
   * Writes everything back and closes it, whoever holds it.
   *
   * @returns What could not be written back. It is in the journals, for the next start
   */
  async close(): Promise<readonly { readonly inode: CachingInode; readonly error: unknown }[]> {
    const unsaved: { inode: CachingInode; error: unknown }[] = [];
    for (const [key, inode] of [...this.#byFile]) {
      await this.#atGate(key, async () => {
        if (this.#byFile.get(key) !== inode) return;
        try {
          await inode.close();
          await this.#forget(key, inode);
        } catch (error) {
          unsaved.push({ inode, error });
          await inode.abandon();
          this.#byFile.delete(key);
          this.#inodes.delete(inode.identity.id);
        }
      });
    }
    return unsaved;
  }

  async #make(file: BackingFile, request: InodeRequest): Promise<CachingInode> {
    const { root, path, access, cache } = request;
    if (this.#inodes.size >= OPEN_INODES_MAX) {
      throw new Fault(
        "open-inodes-exhausted",
        `Cannot open another inode: ${OPEN_INODES_MAX} are open; release some`,
      );
    }
    const id = this.#newId();
    const counters = new Counters(this.#totals);
    const content = cache === "host"
      ? new HostContent(new Backing(file, path), counters)
      : await this.#cachedContent(id, file, request, counters);
    const inode = new CachingInode({ id, root, path, access, cache }, content, counters);
    inode.holders.add(request.holder);
    return inode;
  }

  async #cachedContent(
    id: string,
    file: BackingFile,
    { root, path, access }: InodeRequest,
    counters: Counters,
  ): Promise<Content> {
    const { caches, journals, bootId, clock } = this.#parts;
    const attributes = file.attributes();
    const { device, inode } = attributes;
    const journal = access === "rw"
      ? await journals.create(id, { bootId, root, path, device, inode }).catch(stateUnavailable)
      : undefined;
    try {
      const cacheFile = await caches.create(id);
      return new CachedContent({
        backing: new Backing(file, path),
        file: cacheFile,
        dirt: new DirtLog(journal, this.#budget, attributes),
        budget: this.#budget,
        counters,
        clock,
      });
    } catch (error) {
      await journal?.close();
      await journals.remove(id).catch(() => {});
      return stateUnavailable(error);
    }
  }

  async #forget(key: string, inode: CachingInode): Promise<void> {
    this.#byFile.delete(key);
    this.#inodes.delete(inode.identity.id);
    if (inode.identity.cache === "host") return;
    // What is left by a failure here holds no dirt: the next start removes it.
    await this.#parts.journals.remove(inode.identity.id).catch(() => {});
    await this.#parts.caches.remove(inode.identity.id).catch(() => {});
  }

  #keyOf(inode: CachingInode): string {
    for (const [key, open] of this.#byFile) if (open === inode) return key;
    throw inodeNotFound(inode.identity.id);
  }

  async #atGate<Result>(key: string, task: () => Promise<Result>): Promise<Result> {
    const gate = this.#gates.get(key) ?? { serial: new Serial(), users: 0 };
    this.#gates.set(key, gate);
    gate.users++;
    try {
      return await gate.serial.run(task);
    } finally {
      gate.users--;
      if (gate.users === 0) this.#gates.delete(key);
    }
  }

  /** Never the id of an inode that was open before, so that a late request meets no other file. */
  #newId(): string {
    const bytes = this.#parts.random.bytes(ID_BYTES);
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }
}

function share(open: CachingInode, { access, cache, holder }: InodeRequest): void {
  const { identity, holders } = open;
  if (identity.access !== access || identity.cache !== cache) {
    throw new Fault(
      "inode-mode-differs",
      `Cannot share inode ${identity.id} with access "${access}" and cache "${cache}": it is ` +
        `open with access "${identity.access}" and cache "${identity.cache}"`,
      { members: { inode: identity.id, access: identity.access, cache: identity.cache } },
    );
  }
  if (!holders.has(holder) && holders.size >= HOLDERS_PER_INODE_MAX) {
    throw new Fault(
      "holders-exhausted",
      `Cannot share inode ${identity.id}: ${HOLDERS_PER_INODE_MAX} holders have it`,
    );
  }
  holders.add(holder);
}

function stateUnavailable(cause: unknown): never {
  if (!(cause instanceof SystemError)) throw cause;
  throw new Fault(
    "state-unavailable",
    `Cannot make a cache: ${cause.message}; free space in the state folder`,
    { cause },
  );
}
