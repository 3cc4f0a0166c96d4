import type { MountedEntry, MountedFolder } from "./node.ts";
import { Refusal } from "./refusal.ts";

/** Node of the root (FUSE_ROOT_ID). */
const ROOT = 1n;

/** Where the nodes are noted, and those of an earlier process are. */
interface NodeNotes {
  readonly epoch: number;
  readonly nodes: ReadonlyMap<
    bigint,
    { readonly path: string; readonly lookups: bigint; readonly lookedUpBy: number }
  >;
  node(node: bigint, path: string, lookedUpBy: number): void;
  looked(node: bigint): void;
  forgot(node: bigint, lookups: bigint): void;
}

/** Numbers of a process begin past those of every earlier one that served the mount. */
export function firstNumber(epoch: number): bigint {
  return BigInt(epoch) << 40n | ROOT;
}

interface Node {
  readonly entry: MountedEntry;
  /** Look-ups that the kernel has not forgotten. */
  lookups: bigint;
  /** The thread that looked it up, until somebody opens it; of nodes for one look-up only. */
  lookedUpBy: number;
}

/** The nodes that the kernel knows, by their numbers. None is used for two things. */
export class Nodes {
  readonly #nodes = new Map<bigint, Node>();
  /** Nodes that all look-ups of a path share. */
  readonly #byPath = new Map<string, bigint>();
  readonly #root: MountedFolder;
  readonly #notes: NodeNotes;
  #last: bigint;

  constructor(root: MountedFolder, notes: NodeNotes) {
    this.#root = root;
    this.#notes = notes;
    this.#last = firstNumber(notes.epoch);
    for (const [node, { path, lookups, lookedUpBy }] of notes.nodes) {
      const entry = this.#find(path);
      // What is gone answers ESTALE, as a node that was forgotten.
      if (entry === undefined) continue;
      this.#nodes.set(node, { entry, lookups, lookedUpBy });
      if (!isOwn(entry)) this.#byPath.set(path, node);
    }
  }

  get count(): number {
    return this.#nodes.size;
  }

  /** @throws {Refusal} ESTALE for a node that was forgotten */
  get(node: bigint): MountedEntry {
    const entry = node === ROOT ? this.#root : this.#nodes.get(node)?.entry;
    if (entry === undefined) throw new Refusal("ESTALE");
    return entry;
  }

  /** Counts a look-up of an entry by a thread. @returns Its node */
  lookUp(entry: MountedEntry, pid: number): bigint {
    const known = isOwn(entry) ? undefined : this.#byPath.get(entry.path);
    if (known !== undefined) {
      (this.#nodes.get(known) as Node).lookups++;
      this.#notes.looked(known);
      return known;
    }
    const node = ++this.#last;
    const lookedUpBy = isOwn(entry) ? pid : 0;
    this.#nodes.set(node, { entry, lookups: 1n, lookedUpBy });
    if (!isOwn(entry)) this.#byPath.set(entry.path, node);
    this.#notes.node(node, entry.path, lookedUpBy);
    return node;
  }

  /** Whether a thread that opens a node is the one that looked it up, and the first to open it. */
  takeFresh(number: bigint, pid: number): boolean {
    const node = this.#nodes.get(number);
    const isFresh = pid !== 0 && node?.lookedUpBy === pid;
    if (node !== undefined) node.lookedUpBy = 0;
    return isFresh;
  }

  /** The kernel forgets look-ups of a node; with the last one the node is gone. */
  forget(number: bigint, lookups: bigint): void {
    this.#notes.forgot(number, lookups);
    const node = this.#nodes.get(number);
    if (node === undefined) return;
    node.lookups -= lookups;
    if (node.lookups > 0n) return;
    this.#nodes.delete(number);
    if (this.#byPath.get(node.entry.path) === number) this.#byPath.delete(node.entry.path);
  }

  #find(path: string): MountedEntry | undefined {
    let entry: MountedEntry | undefined = this.#root;
    for (const name of path.split("/").filter((part) => part !== "")) {
      if (entry?.kind !== "folder") return undefined;
      entry = entry.find(name);
    }
    return entry;
  }
}

/** Whether each look-up of an entry is a node of its own. */
function isOwn(entry: MountedEntry): boolean {
  return entry.kind === "file" && entry.ownNodes === true;
}

/**
 * The inode number that `stat` shows of a path: the same in every run. 32 bits, since a 32-bit
 * program cannot `stat` more; that two paths share one harms nobody.
 */
export function inodeNumber(path: string): bigint {
  // FNV-1a.
  let hash = 0x811c_9dc5;
  for (const byte of new TextEncoder().encode(path)) hash = Math.imul(hash ^ byte, 0x0100_0193);
  return BigInt(hash >>> 0) | 2n;
}
