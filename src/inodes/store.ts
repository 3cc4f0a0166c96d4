import { Fault } from "../core/faults.ts";
import {
  BYTES_REPLY_BYTES_MAX,
  CACHE_BYTES_DEFAULT,
  HOLDERS_PER_INODE_MAX,
  OPEN_INODES_MAX,
} from "../core/limits.ts";
import type { BackingAttributes, BackingFile } from "../core/ports/backing_file.ts";
import type { CacheFiles } from "../core/ports/cache_file.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { EventFact, EventSink } from "../core/ports/events.ts";
import type { Journals } from "../core/ports/journal.ts";
import type { Random } from "../core/ports/random.ts";
import type { RemoteFiles } from "../core/ports/remote_files.ts";
import type { RootFolder } from "../core/ports/root_folder.ts";
import type { Spools } from "../core/ports/spool.ts";
import type { Range } from "../core/segments.ts";
import { Serial } from "../core/serial.ts";
import { SystemError } from "../core/system_error.ts";
import { Backing } from "./backing.ts";
import { CacheBudget } from "./cache_budget.ts";
import { CachedContent, type CachedContentParts } from "./cached_content.ts";
import { CachingInode, type InodeIdentity, inodeNotFound } from "./caching_inode.ts";
import type { Content } from "./content.ts";
import { CopyBuffers } from "./copy_buffers.ts";
import { Counters, type Counts } from "./counters.ts";
import { DirtLog } from "./dirt_log.ts";
import { HostContent } from "./host_content.ts";
import { Leases } from "./leases.ts";
import { MappedPages } from "./mapped_pages.ts";
import {
  type HoldRequest,
  type InodeRequest,
  openBacking,
  openRemote,
  type RemoteRequest,
} from "./opening.ts";
import { receive, type Received } from "./receiving.ts";
import { recover, type Recovered } from "./recovery.ts";

/** What the store needs of the world. */
export interface InodeStoreParts {
  /** The folders in which inodes may be opened, by name. */
  readonly roots: ReadonlyMap<string, RootFolder>;
  /** Where remote inodes come from; none are opened without it. */
  readonly remotes?: RemoteFiles | undefined;
  readonly caches: CacheFiles;
  readonly journals: Journals;
  readonly clock: Clock;
  readonly random: Random;
  readonly events: EventSink;
  /** Names this run of the host. */
  readonly bootId: string;
  /** Where long bodies wait; in memory without it. */
  readonly spools?: Spools | undefined;
  /** Budget of cached pages, in bytes. */
  readonly cacheBytes?: number;
}

/** The figures of all inodes together; counts go on when inodes are closed. */
export interface StoreStats extends Counts {
  readonly inodes: number;
  readonly holders: number;
  readonly residentBytes: bigint;
  readonly dirtyBytes: bigint;
  readonly mappedBytes: bigint;
  readonly referencedBytes: bigint;
  readonly mappedChunks: number;
  readonly cacheLimitBytes: bigint;
}

const ID_BYTES = 6;

/** A file that was opened to be an inode, or to find out which one it is. */
interface Asked {
  readonly file: BackingFile;
  /** With the file's identity behind it, the key by which the inode is shared. */
  readonly prefix: string;
  readonly identity: Omit<InodeIdentity, "id">;
  readonly holder: string;
  readonly noatime: boolean;
  readonly limitTranslation: boolean;
}

/** The open inodes: which there are, who holds them, and the cache that they share. */
export class InodeStore {
  readonly #parts: InodeStoreParts;
  readonly #budget: CacheBudget;
  readonly #buffers = new CopyBuffers();
  readonly #totals = new Counters();
  readonly #inodes = new Map<string, CachingInode>();
  /** The same, by the file: root, device and inode number. */
  readonly #byFile = new Map<string, CachingInode>();
  /** One open or release at a time of a file. */
  readonly #gates = new Map<string, { readonly serial: Serial; users: number }>();

  readonly #leases: Leases;

  constructor(parts: InodeStoreParts) {
    this.#parts = parts;
    this.#leases = new Leases(parts.clock);
    this.#budget = new CacheBudget(parts.cacheBytes ?? CACHE_BYTES_DEFAULT);
  }

  /** The time by which cached times are set. */
  get clock(): Clock {
    return this.#parts.clock;
  }

  /** Writes back what earlier processes left. To be called before anything is opened. */
  async recover(): Promise<readonly Recovered[]> {
    const found = await recover(this.#parts);
    for (const { root, path, dirtyBytes, outcome, reason } of found) {
      this.#parts.events.emit({
        kind: outcome === "restored" ? "inode.recovered" : `inode.${outcome}`,
        subject: `${root}/${path}`,
        ...reason === undefined ? {} : { reason },
        data: { root, path, dirtyBytes },
      });
    }
    return found;
  }

  /**
   * Opens a file, or shares it when it is open already.
   *
   * @throws {Fault} `root-not-found`, `root-read-only`, `value-not-allowed`, `outside-root`,
   * `file-not-found`, `file-exists`, `file-not-permitted`, `not-a-file`, `inode-mode-differs`,
   * `holders-exhausted`, `open-inodes-exhausted`, `backing-failed`, `state-unavailable`
   */
  async open(
    request: InodeRequest | RemoteRequest,
  ): Promise<{ inode: CachingInode; isNew: boolean }> {
    const asked: Asked = "url" in request
      ? await this.#askRemote(request)
      : await this.#ask(request);
    const { file, prefix } = asked;
    let isTaken = false;
    try {
      return await this.#atGate(keyOf(prefix, file.attributes()), async (key) => {
        const open = this.#byFile.get(key);
        if (open !== undefined) {
          share(open, asked);
          // What is wrong with the file shows at the next call that needs it.
          await open.revalidate().catch(() => false);
        }
        const inode = open ?? await this.#make(asked);
        if (open === undefined) {
          isTaken = true;
          this.#inodes.set(inode.identity.id, inode);
          this.#byFile.set(key, inode);
        }
        this.#keepLease(inode, request);
        const { root, path } = inode.identity;
        this.#emit(inode, {
          kind: "inode.opened",
          data: { root, path, holder: request.holder, isNew: isTaken },
        });
        return { inode, isNew: isTaken };
      });
    } finally {
      if (!isTaken) file.close();
    }
  }

  /**
   * Takes the body of a write in.
   *
   * @throws {Fault} as {@linkcode receive}
   */
  receive(
    body: ReadableStream<Uint8Array<ArrayBuffer>> | null,
    expected?: bigint,
  ): Promise<Received> {
    return receive(body, this.#parts.spools, expected);
  }

  /** The open inode of an id, if there is one. */
  find(id: string): CachingInode | undefined {
    return this.#inodes.get(id);
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
  release(id: string, holder: string): Promise<void> {
    return this.#release(id, holder, "on request");
  }

  /**
   * Opens the file of an inode anew (seed 001, `NotifyChangeFD`). When its path leads to another
   * file by now, the inode stands for that one.
   *
   * @throws {Fault} `inode-not-found`, `backing-changed` for another file below dirt,
   * `inode-mode-differs` for one that is open as another inode; as an open does
   */
  async reopen(id: string): Promise<void> {
    await this.#atGateOf(id, async (inode, before) => {
      const prefix = prefixOf(inode.identity);
      let after = before;
      await inode.reopen((found) => {
        after = keyOf(prefix, found);
        const other = this.#byFile.get(after);
        if (other !== undefined && other !== inode) {
          throw new Fault(
            "inode-mode-differs",
            `Cannot reopen inode ${id}: its path leads to the file of inode ${other.identity.id}`,
            { members: { inode: other.identity.id } },
          );
        }
        // At once, so that an open of the file that was found meets this inode.
        this.#byFile.delete(before);
        this.#byFile.set(after, inode);
      }).catch((error) => {
        this.#byFile.delete(after);
        this.#byFile.set(before, inode);
        throw error;
      });
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
      mappedBytes: open.reduce((sum, { mappedBytes }) => sum + mappedBytes, 0n),
      referencedBytes: open.reduce((sum, { referencedBytes }) => sum + referencedBytes, 0n),
      mappedChunks: open.reduce((sum, { mappedChunks }) => sum + mappedChunks, 0),
      cacheLimitBytes: BigInt(this.#budget.limitBytes),
    };
  }

  /**
   * Writes everything back and closes it, whoever holds it.
   *
   * @returns What could not be written back. It is in the journals, for the next start
   */
  async close(): Promise<readonly { readonly inode: CachingInode; readonly error: unknown }[]> {
    this.#leases.stop();
    const unsaved: { inode: CachingInode; error: unknown }[] = [];
    for (const [key, inode] of [...this.#byFile]) {
      await this.#atGate(key, async () => {
        if (this.#byFile.get(key) !== inode) return;
        try {
          inode.unmapAll();
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

  async #ask(request: InodeRequest): Promise<Asked> {
    const { root, path, access, cache, holder } = request;
    const { file } = await openBacking(this.#parts.roots, request);
    return {
      file,
      prefix: prefixOf({ root, path }),
      identity: { root, path, access, cache },
      holder,
      noatime: request.noatime === true || this.#parts.roots.get(root)?.noatime === true,
      limitTranslation: request.limitTranslation ?? false,
    };
  }

  async #askRemote(request: RemoteRequest): Promise<Asked> {
    const identity = { path: request.url, access: "ro", cache: "own" } as const;
    return {
      file: await openRemote(this.#parts.remotes, request),
      prefix: prefixOf(identity),
      identity,
      holder: request.holder,
      noatime: true,
      limitTranslation: false,
    };
  }

  async #make(asked: Asked): Promise<CachingInode> {
    if (this.#inodes.size >= OPEN_INODES_MAX) {
      throw new Fault(
        "open-inodes-exhausted",
        `Cannot open another inode: ${OPEN_INODES_MAX} are open; release some`,
      );
    }
    const id = this.#newId();
    const counters = new Counters(this.#totals);
    const maps = new MappedPages();
    const tell = (fact: Omit<EventFact, "subject">) => {
      this.#parts.events.emit({ ...fact, subject: id });
    };
    const invalid: { at: CachingInode["invalidated"] } = { at: () => {} };
    const parts = {
      backing: new Backing(asked.file, asked.identity.path),
      counters,
      clock: this.#parts.clock,
      maps,
      noatime: asked.noatime,
      limitTranslation: asked.limitTranslation,
      isWritable: asked.identity.access === "rw",
      onInvalid: (range: Range, reason: string) => {
        if (reason === "changed-outside") tell({ kind: "inode.changed", reason });
        invalid.at(range, reason);
      },
      onFailure: ({ code, message }: Fault) => {
        tell({ kind: "inode.failed", reason: message, data: { code } });
      },
    };
    const content = asked.identity.cache === "host"
      ? new HostContent(parts)
      : await this.#cachedContent(id, asked, parts);
    const identity = { id, ...asked.identity };
    const inode = new CachingInode({ identity, content, maps, counters, tell });
    invalid.at = (range, reason) => inode.invalidated(range, reason);
    inode.holders.add(asked.holder);
    return inode;
  }

  async #cachedContent(
    id: string,
    { file, identity: { root, path, access } }: Asked,
    parts: Omit<CachedContentParts, "file" | "dirt" | "budget" | "buffers">,
  ): Promise<Content> {
    const { caches, journals, bootId } = this.#parts;
    const attributes = file.attributes();
    const { device, inode } = attributes;
    const journal = access === "rw" && root !== undefined
      ? await journals.create(id, { bootId, root, path, device, inode }).catch(stateUnavailable)
      : undefined;
    try {
      return new CachedContent({
        ...parts,
        file: await caches.create(id),
        dirt: new DirtLog(journal, this.#budget, attributes),
        budget: this.#budget,
        buffers: this.#buffers,
      });
    } catch (error) {
      await journal?.close();
      await journals.remove(id).catch(() => {});
      return stateUnavailable(error);
    }
  }

  async #release(id: string, holder: string, reason: string, andSpace = false): Promise<void> {
    await this.#atGateOf(id, async (inode, key) => {
      inode.requireHolder(holder, "release");
      const isLast = inode.holders.size === 1;
      if (andSpace) inode.endHolder(holder, true);
      if (isLast) {
        await inode.close();
        await this.#forget(key, inode);
      }
      inode.endHolder(holder);
      inode.holders.delete(holder);
      this.#leases.end(leaseOf(id, holder));
      this.#emit(inode, {
        kind: "inode.released",
        reason,
        data: { holder, isClosed: isLast, path: inode.identity.path },
      });
    });
  }

  #keepLease(inode: CachingInode, { holder, leaseMs }: HoldRequest): void {
    const { id } = inode.identity;
    this.#leases.keep(leaseOf(id, holder), leaseMs, async () => {
      try {
        await this.#release(id, holder, "its lease ran out", true);
        return true;
      } catch {
        // What keeps it from closing is told by the inode; it is tried again after another lease.
        return !this.#inodes.has(id);
      }
    });
  }

  #emit(inode: CachingInode, fact: Omit<EventFact, "subject">): void {
    this.#parts.events.emit({ ...fact, subject: inode.identity.id });
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

  async #atGate<Result>(key: string, task: (key: string) => Promise<Result>): Promise<Result> {
    const gate = this.#gates.get(key) ?? { serial: new Serial(), users: 0 };
    this.#gates.set(key, gate);
    gate.users++;
    try {
      return await gate.serial.run(() => task(key));
    } finally {
      gate.users--;
      if (gate.users === 0) this.#gates.delete(key);
    }
  }

  /** As `#atGate`, for an open inode, whose file may become another one while this waits. */
  async #atGateOf(
    id: string,
    task: (inode: CachingInode, key: string) => Promise<void>,
  ): Promise<void> {
    for (let isDone = false; !isDone;) {
      await this.#atGate(this.#keyOf(this.inode(id)), async (key) => {
        const inode = this.inode(id);
        if (this.#keyOf(inode) !== key) return;
        isDone = true;
        await task(inode, key);
      });
    }
  }

  /** Never the id of an inode that was open before, so that a late request meets no other file. */
  #newId(): string {
    const bytes = this.#parts.random.bytes(ID_BYTES);
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }
}

function prefixOf({ root, path }: Pick<InodeIdentity, "root" | "path">): string {
  return root ?? `url ${path}`;
}

function keyOf(prefix: string, { device, inode }: BackingAttributes): string {
  return `${prefix}:${device}:${inode}`;
}

function leaseOf(id: string, holder: string): string {
  return `${id} ${holder}`;
}

function share(open: CachingInode, { identity: { access, cache }, holder }: Asked): void {
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
