import type {
  AttributeChange,
  BackingAttributes,
  BackingFile,
  BackingLook,
} from "../../src/core/ports/backing_file.ts";
import type { CacheFile, CacheFiles } from "../../src/core/ports/cache_file.ts";
import type {
  Journal,
  JournalHeader,
  JournalRecord,
  Journals,
  LeftJournal,
} from "../../src/core/ports/journal.ts";
import type { OpenedBacking, OpenRequest, RootFolder } from "../../src/core/ports/root_folder.ts";
import type { Range } from "../../src/core/segments.ts";
import { SystemError } from "../../src/core/system_error.ts";

/** A call to the storage of a file. */
type Call = "read" | "write" | "truncate" | "sync" | "look" | "change" | "allocate" | "reserve";

/** The content of a file in memory, and how its storage misbehaves. */
export class MemoryNode {
  bytes = new Uint8Array(0);
  modificationTimeNs = 1n;
  statusChangeTimeNs = 1n;
  syncs = 0;
  reads = 0;
  writes = 0;
  /** At most so many bytes are read or written at one time. */
  chunkBytes = Infinity;
  /** Writes take nothing and say nothing. */
  takesNothing = false;
  /** These calls fail with this errno. */
  readonly failing = new Map<Call, string>();
  /** Reads from this offset on fail with EIO. */
  failsFrom = Infinity;
  /** Runs before each call, which waits for it. */
  before: (call: Call) => Promise<void> | void = () => {};
  isNamed = true;
  permissions = 0o644;
  uid = 0;
  gid = 0;
  accessTimeNs = 0n;
  links = 1;

  constructor(readonly inode: bigint) {}

  /** Holds calls of these kinds, or all, until the returned function is called. */
  hold(...calls: readonly Call[]): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.before = (call) => calls.length === 0 || calls.includes(call) ? promise : undefined;
    return resolve;
  }

  /** Replaces the content, as another program would. */
  setContent(bytes: Uint8Array): void {
    this.bytes = new Uint8Array(bytes);
    this.noteChange();
  }

  /** Replaces the content and sets the time back, so that only the status change time tells. */
  setContentUnnoticed(bytes: Uint8Array): void {
    this.bytes = new Uint8Array(bytes);
    this.statusChangeTimeNs++;
  }

  /** Dates a change of the content. */
  noteChange(): void {
    this.modificationTimeNs++;
    this.statusChangeTimeNs++;
  }
}

/** A backing file in memory. Nothing of it is ever read without waiting. */
export class MemoryFile implements BackingFile {
  readonly hostPath: string;
  node: MemoryNode;
  isClosed = false;

  constructor(node: MemoryNode, readonly root: MemoryRoot, readonly path: string) {
    this.node = node;
    this.hostPath = `/memory/${path}`;
  }

  attributes(): BackingAttributes {
    return attributesOf(this.node);
  }

  async look(): Promise<BackingLook> {
    await this.#may("look");
    const isAtPath = this.root.nodes.get(this.path) === this.node;
    return { attributes: this.attributes(), named: this.node.isNamed, isAtPath };
  }

  readNonblocking(): undefined {
    return undefined;
  }

  async read(into: Uint8Array<ArrayBuffer>, offset: bigint): Promise<number> {
    this.node.reads++;
    await this.#may("read");
    const start = Number(offset);
    if (start >= this.node.failsFrom) throw new SystemError("EIO", "pread", "memory");
    const end = Math.min(
      start + Math.min(into.byteLength, this.node.chunkBytes),
      this.node.failsFrom,
      this.node.bytes.byteLength,
    );
    if (end <= start) return 0;
    into.set(this.node.bytes.subarray(start, end));
    return end - start;
  }

  async write(bytes: Uint8Array<ArrayBuffer>, offset: bigint): Promise<number> {
    this.node.writes++;
    await this.#may("write");
    if (this.node.takesNothing) return 0;
    const count = Math.min(bytes.byteLength, this.node.chunkBytes);
    const end = Number(offset) + count;
    if (end > this.node.bytes.byteLength) this.#resize(end);
    this.node.bytes.set(bytes.subarray(0, count), Number(offset));
    this.node.noteChange();
    return count;
  }

  async truncate(sizeBytes: bigint): Promise<void> {
    await this.#may("truncate");
    this.#resize(Number(sizeBytes));
    this.node.noteChange();
  }

  async sync(): Promise<void> {
    await this.#may("sync");
    this.node.syncs++;
  }

  async change(change: AttributeChange): Promise<void> {
    await this.#may("change");
    const { node } = this;
    node.permissions = change.permissions ?? node.permissions;
    node.uid = change.uid ?? node.uid;
    node.gid = change.gid ?? node.gid;
    node.accessTimeNs = change.accessTimeNs ?? node.accessTimeNs;
    node.modificationTimeNs = change.modificationTimeNs ?? node.modificationTimeNs;
    node.statusChangeTimeNs++;
  }

  async allocate(offset: bigint, length: bigint): Promise<void> {
    await this.#may("allocate");
    const end = Number(offset + length);
    if (end > this.node.bytes.byteLength) this.#resize(end);
    this.node.noteChange();
  }

  async reserve(): Promise<void> {
    await this.#may("reserve");
  }

  // deno-lint-ignore require-await -- a failed call must reject, as the port says
  async link(path: string): Promise<void> {
    if (this.root.nodes.has(path)) throw new SystemError("EEXIST", "linkat", path);
    this.root.nodes.set(path, this.node);
    this.node.links++;
    this.node.statusChangeTimeNs++;
  }

  // deno-lint-ignore require-await -- a failed call must reject, as the port says
  async unlink(path: string): Promise<void> {
    const found = this.root.nodes.get(path);
    if (found === undefined) throw new SystemError("ENOENT", "unlinkat", path);
    if (found !== this.node) throw new SystemError("ESTALE", "unlinkat", path);
    this.root.nodes.delete(path);
    this.node.links--;
    this.node.statusChangeTimeNs++;
    this.node.isNamed = this.node.links > 0;
  }

  // deno-lint-ignore require-await -- a failed call must reject, as the port says
  async reopen(accept: (found: BackingAttributes) => void): Promise<void> {
    const found = this.root.nodes.get(this.path);
    if (found === undefined) throw new SystemError("ENOENT", "open", this.path);
    accept(attributesOf(found));
    this.node = found;
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }

  #resize(size: number): void {
    const bytes = new Uint8Array(size);
    bytes.set(this.node.bytes.subarray(0, size));
    this.node.bytes = bytes;
  }

  async #may(call: Call): Promise<void> {
    if (this.isClosed) throw new SystemError("EBADF", call, "memory");
    await this.node.before(call);
    const errno = this.node.failing.get(call);
    if (errno !== undefined) throw new SystemError(errno, call, "memory");
  }
}

function attributesOf(node: MemoryNode): BackingAttributes {
  const { inode, bytes, modificationTimeNs, statusChangeTimeNs } = node;
  const { permissions, uid, gid, accessTimeNs, links } = node;
  return {
    device: 1n,
    inode,
    sizeBytes: BigInt(bytes.byteLength),
    usageBytes: BigInt(bytes.byteLength),
    permissions,
    uid,
    gid,
    accessTimeNs,
    modificationTimeNs,
    statusChangeTimeNs,
    links,
  };
}

/** A root in memory: names without folders. */
export class MemoryRoot implements RootFolder {
  readonly readOnly = false;
  readonly noatime = false;
  readonly nodes = new Map<string, MemoryNode>();
  #nextInode = 1n;

  /** Makes a file with this content. */
  put(path: string, bytes: Uint8Array): MemoryNode {
    const node = new MemoryNode(this.#nextInode++);
    node.setContent(bytes);
    this.nodes.set(path, node);
    return node;
  }

  // deno-lint-ignore require-await -- a failed call must reject, as the port says
  async open({ path, create }: OpenRequest): Promise<OpenedBacking> {
    const found = this.nodes.get(path);
    if (found === undefined && create === "never") throw new SystemError("ENOENT", "open", path);
    if (found !== undefined && create === "exclusive") {
      throw new SystemError("EEXIST", "open", path);
    }
    const node = found ?? this.put(path, new Uint8Array(0));
    return { file: new MemoryFile(node, this, path), created: found === undefined };
  }
}

/** Cache files in memory. They outlive a store, as real ones outlive a process. */
export class MemoryCacheFiles implements CacheFiles {
  readonly files = new Map<string, Map<bigint, Uint8Array>>();
  /** Reserving fails with this errno. */
  full: string | undefined;
  /** How often pages were reserved. */
  reserves = 0;
  /** Reserving, and punching, wait for these. */
  reserveGate: Promise<void> = Promise.resolve();
  punchGate: Promise<void> = Promise.resolve();

  create(id: string): Promise<CacheFile> {
    const pages = new Map<bigint, Uint8Array>();
    this.files.set(id, pages);
    return Promise.resolve(new MemoryCacheFile(this, pages));
  }

  list(): Promise<readonly string[]> {
    return Promise.resolve([...this.files.keys()].sort());
  }

  salvage(id: string, into: Uint8Array<ArrayBuffer>, offset: bigint): Promise<number> {
    const pages = this.files.get(id);
    if (pages === undefined) throw new SystemError("ENOENT", "open", id);
    copyPages(pages, into.byteLength, offset, (page, at, inPage, length) => {
      into.set(page?.subarray(inPage, inPage + length) ?? new Uint8Array(length), at);
    });
    return Promise.resolve(into.byteLength);
  }

  remove(id: string): Promise<void> {
    this.files.delete(id);
    return Promise.resolve();
  }

  setAside(id: string): Promise<string | undefined> {
    return Promise.resolve(this.files.delete(id) ? `${id} aside` : undefined);
  }
}

const PAGE = 4096n;

function copyPages(
  pages: ReadonlyMap<bigint, Uint8Array>,
  length: number,
  offset: bigint,
  copy: (page: Uint8Array | undefined, at: number, inPage: number, length: number) => void,
): void {
  for (let done = 0; done < length;) {
    const at = offset + BigInt(done);
    const inPage = Number(at % PAGE);
    const count = Math.min(length - done, Number(PAGE) - inPage);
    copy(pages.get(at / PAGE), done, inPage, count);
    done += count;
  }
}

class MemoryCacheFile implements CacheFile {
  readonly path = "/memory/cache";
  readonly identity = { device: 0n, inode: 1n };

  constructor(readonly owner: MemoryCacheFiles, readonly pages: Map<bigint, Uint8Array>) {}

  async reserve({ start, end }: Range): Promise<void> {
    this.owner.reserves++;
    await this.owner.reserveGate;
    if (this.owner.full !== undefined) {
      throw new SystemError(this.owner.full, "fallocate", "memory");
    }
    for (let page = start / PAGE; page * PAGE < end; page++) {
      if (!this.pages.has(page)) this.pages.set(page, new Uint8Array(Number(PAGE)));
    }
  }

  load(into: Uint8Array<ArrayBuffer>, offset: bigint): void {
    copyPages(this.pages, into.byteLength, offset, (page, at, inPage, length) => {
      into.set(reserved(page).subarray(inPage, inPage + length), at);
    });
  }

  store(bytes: Uint8Array<ArrayBuffer>, offset: bigint): void {
    copyPages(this.pages, bytes.byteLength, offset, (page, at, inPage, length) => {
      reserved(page).set(bytes.subarray(at, at + length), inPage);
    });
  }

  async punch({ start, end }: Range): Promise<void> {
    await this.owner.punchGate;
    for (let page = start / PAGE; page * PAGE < end; page++) this.pages.delete(page);
  }

  close(): void {}
}

function reserved(page: Uint8Array | undefined): Uint8Array {
  if (page === undefined) throw new Error("a page was touched that was not reserved");
  return page;
}

interface StoredJournal {
  header: JournalHeader;
  records: JournalRecord[];
}

/** Journals in memory. They outlive a store, as real ones outlive a process. */
export class MemoryJournals implements Journals {
  readonly stored = new Map<string, StoredJournal>();
  /** Writing fails. */
  isFull = false;
  /** Runs before each write and removal. */
  before: () => void = () => {};

  create(id: string, header: JournalHeader): Promise<Journal> {
    const stored: StoredJournal = { header, records: [] };
    this.stored.set(id, stored);
    return Promise.resolve(new MemoryJournal(this, stored));
  }

  resume(id: string): Promise<Journal> {
    const stored = this.stored.get(id);
    if (stored === undefined) throw new SystemError("ENOENT", "open", id);
    return Promise.resolve(new MemoryJournal(this, stored));
  }

  left(): Promise<readonly LeftJournal[]> {
    return Promise.resolve(
      [...this.stored].map(([id, stored]) => ({ id, cutBytes: 0, ...stored })),
    );
  }

  // deno-lint-ignore require-await -- a failed call must reject, as the port says
  async remove(id: string): Promise<void> {
    this.before();
    this.stored.delete(id);
  }

  setAside(id: string): Promise<string | undefined> {
    return Promise.resolve(this.stored.delete(id) ? `${id} aside` : undefined);
  }
}

class MemoryJournal implements Journal {
  records = 0;
  #waiting: ((stored: StoredJournal) => void)[] = [];

  constructor(readonly owner: MemoryJournals, readonly stored: StoredJournal) {}

  append(...records: readonly JournalRecord[]): void {
    this.records += records.length;
    this.#waiting.push((stored) => stored.records.push(...records));
  }

  rewrite(records: readonly JournalRecord[]): void {
    this.records = records.length;
    this.#waiting = [(stored) => stored.records = [...records]];
  }

  readdress(device: bigint, inode: bigint): void {
    this.rewrite([]);
    this.#waiting.push((stored) => stored.header = { ...stored.header, device, inode });
  }

  async flush(): Promise<void> {
    if (this.#waiting.length === 0) return;
    await Promise.resolve();
    this.owner.before();
    if (this.owner.isFull) throw new SystemError("ENOSPC", "write", "journal");
    for (const step of this.#waiting.splice(0)) step(this.stored);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
