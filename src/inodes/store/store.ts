import { Fault } from "../../core/faults.ts";
import {
  BYTES_REPLY_BYTES_MAX,
  DESCRIPTORS_PER_INODE,
  HOLDERS_PER_INODE_MAX,
  INODES_STOP_MS,
  OPEN_INODES_MAX,
} from "../../core/limits.ts";
import type { BackingAttributes } from "../../core/ports/backing_file.ts";
import type { Clock } from "../../core/ports/clock.ts";
import type { EventFact } from "../../core/ports/events.ts";
import { Leases } from "../../core/leases.ts";
import {
  type InodeModes,
  type InodeRequest,
  openBacking,
  openRemote,
  type RemoteRequest,
} from "../backing/opening.ts";
import type { CachingInode } from "../content/caching_inode.ts";
import { type InodeIdentity, type InodeStats, targetOf } from "../content/inode_facts.ts";
import { inodeNotFound } from "../content/inode_gate.ts";
import { type Leftover, Leftovers, type Retried } from "../writeback/leftovers.ts";
import { recover, type Recovered } from "../writeback/recovery.ts";
import { InodeMaker, type InodeStoreParts, type OpenedFile } from "./inode_maker.ts";
import { KeyedSerial } from "./keyed_serial.ts";
import { receiveUpload, type Upload } from "./upload.ts";

/** The statistics of all inodes together. Counts stay when inodes are closed. */
export interface StoreStats extends InodeStats {
  readonly inodes: number;
  readonly cacheLimitBytes: bigint;
}

/** An inode that could not be written back, and why. */
interface Unsaved {
  readonly inode: CachingInode;
  readonly error: unknown;
}

/** The open inodes: which there are, who holds them, and the cache that they share. */
export class InodeStore {
  readonly #parts: InodeStoreParts;
  readonly #maker: InodeMaker;
  readonly #inodes = new Map<string, CachingInode>();
  /** The same inodes by their keys. */
  readonly #byKey = new Map<string, CachingInode>();
  /** One open, reopen or release of a file at a time. */
  readonly #turns = new KeyedSerial();
  readonly #leases: Leases;
  /** What earlier processes left and nobody could write back. */
  readonly leftovers: Pick<Leftovers, "list" | "get" | "read">;
  readonly #leftovers: Leftovers;

  constructor(parts: InodeStoreParts) {
    this.#parts = parts;
    this.#leases = new Leases(parts.clock);
    this.#maker = new InodeMaker(parts);
    this.#leftovers = new Leftovers(parts);
    this.leftovers = this.#leftovers;
  }

  /** The time by which cached times are set. */
  get clock(): Clock {
    return this.#parts.clock;
  }

  /** Writes back what earlier processes left. Call it before anything is opened. */
  async recover(): Promise<readonly Recovered[]> {
    const found = await recover(this.#parts, (left, reason) => this.#leftovers.note(left, reason));
    for (const recovered of found) this.#emitRecovered(recovered);
    return found;
  }

  /**
   * Writes what was left to its file.
   *
   * @param isForced Also over what somebody else has written to that file since
   * @throws {Fault} `leftover-not-found`; `file-in-use` while the file is open as an inode, which
   * would take these bytes for somebody else's
   */
  async retryLeftover(id: string, isForced: boolean): Promise<Retried> {
    const { root, device, inode } = this.leftovers.get(id);
    const key = keyOf({ root, path: "" }, { device, inode });
    const recovered = await this.#turns.run(key, () => {
      const open = this.#byKey.get(key);
      if (open !== undefined) {
        throw new Fault(
          "file-in-use",
          `Cannot write what was left of inode ${id}: its file is open as inode ` +
            `${open.identity.id}; release that first`,
          { members: { inode: open.identity.id } },
        );
      }
      return this.#leftovers.retry(id, isForced);
    });
    this.#emitRecovered(recovered);
    return recovered;
  }

  /**
   * Drops what was left for good.
   *
   * @throws {Fault} `leftover-not-found`
   */
  async discardLeftover(id: string): Promise<void> {
    const { root, path, dirtyBytes }: Leftover = await this.#leftovers.discard(id);
    this.#emitRecovered({ root, path, dirtyBytes, outcome: "discarded", reason: "on request" });
  }

  #emitRecovered({ root, path, dirtyBytes, outcome, reason }: Recovered): void {
    this.#parts.events.emit({
      kind: outcome === "restored" ? "inode.recovered" : `inode.${outcome}`,
      subject: `${root}/${path}`,
      ...reason === undefined ? {} : { reason },
      data: { root, path, dirtyBytes },
    }, { about: { kind: "roots", name: root } });
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
    const opened = "url" in request
      ? await this.#openRemote(request)
      : await this.#openFile(request);
    const { file, identity } = opened;
    let isTaken = false;
    try {
      const key = keyOf(identity, file.attributes());
      return await this.#turns.run(key, async () => {
        const open = this.#byKey.get(key);
        if (open !== undefined) {
          share(open, identity, request.holder);
          // If the file is unusable, the next call that needs it says so.
          await open.revalidate().catch(() => false);
        }
        const inode = open ?? await this.#make(opened, key, request.holder);
        if (open === undefined) {
          isTaken = true;
          this.#inodes.set(inode.identity.id, inode);
          this.#byKey.set(key, inode);
        }
        this.#renewLease(inode.identity.id, request.holder, request.leaseMs);
        const { root, path } = inode.identity;
        this.#emit(inode, {
          kind: "inode.opened",
          data: { root, path, holder: request.holder, isNew: isTaken },
        });
        return { inode, isNew: isTaken };
      });
    } finally {
      if (!isTaken) await file.close();
    }
  }

  /**
   * Receives the body of a write.
   *
   * @throws {Fault} as {@linkcode receiveUpload}
   */
  receive(
    body: ReadableStream<Uint8Array<ArrayBuffer>> | null,
    expected?: bigint,
  ): Promise<Upload> {
    return receiveUpload(body, this.#parts.spools, expected);
  }

  /** The open inode of an id, if there is one that is not hidden. */
  find(id: string): CachingInode | undefined {
    const inode = this.#inodes.get(id);
    return inode?.isHidden === true ? undefined : inode;
  }

  /** @throws {Fault} `inode-not-found` */
  inode(id: string): CachingInode {
    const inode = this.find(id);
    if (inode === undefined) throw inodeNotFound(id);
    return inode;
  }

  /** All open inodes that {@linkcode find} finds, in ascending order of their ids. */
  list(): readonly CachingInode[] {
    return [...this.#inodes.values()].filter(({ isHidden }) => !isHidden).sort((a, b) =>
      a.identity.id < b.identity.id ? -1 : 1
    );
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
    return this.#inTurn(id, (inode) => this.#endHold(inode, holder, "on request"));
  }

  /**
   * Opens the file of an inode again (gVisor's `NotifyChangeFD`). If its path leads to another file by
   * now, the inode stands for that file.
   *
   * @throws {Fault} `inode-not-found`, `backing-changed` for another file while bytes are dirty,
   * `inode-mode-differs` for one that is open as another inode; as an open does
   */
  async reopen(id: string): Promise<void> {
    this.inode(id);
    await this.#inTurn(id, async (inode) => {
      const { key: before } = inode;
      await inode.reopen((found) => {
        const after = keyOf(inode.identity, found);
        const other = this.#byKey.get(after);
        if (other !== undefined && other !== inode) {
          throw new Fault(
            "inode-mode-differs",
            `Cannot reopen inode ${id}: its path leads to the file of inode ${other.identity.id}`,
            { members: { inode: other.identity.id } },
          );
        }
        // At once, so that an open of the file that was found shares this inode.
        this.#move(inode, after);
      }).catch((error) => {
        // The file that is open now decides, because the call may have failed before or after the
        // change of file.
        if (inode.key !== before) this.#move(inode, keyOf(inode.identity, inode.attributes()));
        throw error;
      });
    });
  }

  /** Makes an inode stand for another file: opens of that file share it from now on. */
  #move(inode: CachingInode, key: string): void {
    this.#byKey.delete(inode.key);
    inode.key = key;
    this.#byKey.set(key, inode);
  }

  stats(): StoreStats {
    const open = [...this.#inodes.values()].map((inode) => inode.stats());
    return {
      ...this.#maker.totals.counts(),
      inodes: open.length,
      holders: open.reduce((sum, { holders }) => sum + holders, 0),
      residentBytes: open.reduce((sum, { residentBytes }) => sum + residentBytes, 0n),
      dirtyBytes: this.#maker.budget.dirtyBytes,
      mappedBytes: open.reduce((sum, { mappedBytes }) => sum + mappedBytes, 0n),
      referencedBytes: open.reduce((sum, { referencedBytes }) => sum + referencedBytes, 0n),
      mappedChunks: open.reduce((sum, { mappedChunks }) => sum + mappedChunks, 0),
      cacheLimitBytes: BigInt(this.#maker.budget.limitBytes),
    };
  }

  /**
   * Writes everything back and closes it, whoever holds it. A file whose storage does not answer is
   * left as it is after a while, since a daemon that is told to end must end.
   *
   * @returns What could not be written back. It is in the journals, for the next start
   */
  async close(): Promise<readonly Unsaved[]> {
    this.#leases.stop();
    const unsaved: Unsaved[] = [];
    const open = new Set(this.#byKey.values());
    const closing = [...open].map(async (inode) => {
      await this.#closeAtLast(inode, (error) => unsaved.push({ inode, error }));
      open.delete(inode);
    });
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const cancel = this.#parts.clock.after(INODES_STOP_MS, resolve);
    await Promise.race([Promise.all(closing), late]);
    cancel();
    return [...unsaved, ...[...open].map((inode) => ({ inode, error: notAnswered(inode) }))];
  }

  #closeAtLast(inode: CachingInode, onUnsaved: (error: unknown) => void): Promise<void> {
    const { key } = inode;
    return this.#turns.run(key, async () => {
      if (this.#byKey.get(key) !== inode) return;
      try {
        inode.mappings.removeAll();
        await inode.close();
        await this.#forget(inode);
      } catch (error) {
        onUnsaved(error);
        await inode.abandon();
        this.#drop(inode);
      }
    });
  }

  async #make(opened: OpenedFile, key: string, holder: string): Promise<CachingInode> {
    if (this.#inodes.size >= OPEN_INODES_MAX) {
      throw new Fault(
        "open-inodes-exhausted",
        `Cannot open another inode: ${OPEN_INODES_MAX} are open; release some`,
      );
    }
    const { descriptors } = this.#parts;
    const count = descriptorsOf(opened.identity);
    if (descriptors?.take("inodes", count) === false) {
      throw new Fault(
        "open-inodes-exhausted",
        `Cannot open another inode: ${descriptors.reason("inodes")}`,
      );
    }
    try {
      const inode = await this.#maker.make(opened, key);
      inode.holders.add(holder);
      return inode;
    } catch (error) {
      descriptors?.give("inodes", count);
      throw error;
    }
  }

  async #openFile(request: InodeRequest): Promise<OpenedFile> {
    const { root, path, access, cache, isHidden = false, limitTranslation = false } = request;
    const { file } = await openBacking(this.#parts.roots, request);
    const noatime = request.noatime === true || this.#parts.roots.get(root)?.noatime === true;
    return { file, identity: { root, path, access, cache }, isHidden, noatime, limitTranslation };
  }

  async #openRemote(request: RemoteRequest): Promise<OpenedFile> {
    return {
      file: await openRemote(this.#parts.remotes, request),
      identity: { path: request.url, access: "ro", cache: "own" },
      isHidden: false,
      noatime: true,
      limitTranslation: false,
    };
  }

  async #endHold(inode: CachingInode, holder: string, reason: string): Promise<void> {
    inode.requireHolder(holder, "release");
    const isLast = inode.holders.size === 1;
    if (isLast) {
      await inode.close();
      await this.#forget(inode);
    }
    inode.mappings.endHolder(holder);
    inode.holders.delete(holder);
    this.#leases.end(leaseOf(inode.identity.id, holder));
    this.#emit(inode, {
      kind: "inode.released",
      reason,
      data: { holder, isClosed: isLast, path: inode.identity.path },
    });
  }

  #renewLease(id: string, holder: string, leaseMs: number | undefined): void {
    const name = leaseOf(id, holder);
    if (leaseMs === undefined) this.#leases.end(name);
    else this.#leases.start(name, leaseMs, () => void this.#endLease(id, holder, leaseMs));
  }

  async #endLease(id: string, holder: string, leaseMs: number): Promise<void> {
    // An open that was under way may have renewed it meanwhile, or it was released.
    const isDue = (inode: CachingInode): boolean =>
      inode.holders.has(holder) && !this.#leases.has(leaseOf(id, holder));
    try {
      await this.#inTurn(id, async (inode) => {
        if (!isDue(inode)) return;
        inode.mappings.endHolder(holder, true);
        await this.#endHold(inode, holder, "its lease ran out");
      });
    } catch {
      // The inode reports why it cannot close. The next try is after another lease.
      const inode = this.#inodes.get(id);
      if (inode !== undefined && isDue(inode)) this.#renewLease(id, holder, leaseMs);
    }
  }

  #emit(inode: CachingInode, fact: Omit<EventFact, "subject">): void {
    const { identity } = inode;
    this.#parts.events.emit({ ...fact, subject: identity.id }, { about: targetOf(identity) });
  }

  async #forget(inode: CachingInode): Promise<void> {
    this.#drop(inode);
    if (inode.identity.cache === "host") return;
    // What a failure leaves here has no dirty bytes, so the next start removes it.
    await this.#parts.journals.remove(inode.identity.id).catch(() => {});
    await this.#parts.caches.remove(inode.identity.id).catch(() => {});
  }

  #drop(inode: CachingInode): void {
    this.#byKey.delete(inode.key);
    this.#inodes.delete(inode.identity.id);
    this.#parts.descriptors?.give("inodes", descriptorsOf(inode.identity));
  }

  #open(id: string): CachingInode {
    const inode = this.#inodes.get(id);
    if (inode === undefined) throw inodeNotFound(id);
    return inode;
  }

  /** Waits for the turn of an open inode's file, which may become another file meanwhile. */
  async #inTurn(
    id: string,
    task: (inode: CachingInode) => Promise<void>,
  ): Promise<void> {
    for (let isDone = false; !isDone;) {
      const { key } = this.#open(id);
      await this.#turns.run(key, async () => {
        const inode = this.#open(id);
        if (inode.key !== key) return;
        isDone = true;
        await task(inode);
      });
    }
  }
}

/** Which file an inode stands for. Everybody who opens the same file shares the inode. */
function keyOf(
  { root, path }: Pick<InodeIdentity, "root" | "path">,
  { device, inode }: Pick<BackingAttributes, "device" | "inode">,
): string {
  return `${root ?? `url ${path}`}:${device}:${inode}`;
}

/** How many descriptors an inode takes. In cache mode `host` there are no files of ours. */
function descriptorsOf({ cache }: Pick<InodeIdentity, "cache">): number {
  return cache === "host" ? 1 : DESCRIPTORS_PER_INODE;
}

function notAnswered({ identity }: CachingInode): Fault {
  return new Fault(
    "backing-failed",
    `Cannot close ${identity.path}: its storage did not answer for ${INODES_STOP_MS / 1_000} s`,
  );
}

function leaseOf(id: string, holder: string): string {
  return `${id} ${holder}`;
}

function share(open: CachingInode, { access, cache }: InodeModes, holder: string): void {
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
