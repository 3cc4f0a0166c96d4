import type { MountedEntry } from "./node.ts";
import { Refusal } from "./refusal.ts";

/** Node of the root (FUSE_ROOT_ID). */
const ROOT = 1n;

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
  readonly #root: MountedEntry;
  #last = ROOT;

  constructor(root: MountedEntry) {
    this.#root = root;
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
    const isOwn = entry.kind === "file" && entry.ownNodes === true;
    const known = isOwn ? undefined : this.#byPath.get(entry.path);
    if (known !== undefined) {
      (this.#nodes.get(known) as Node).lookups++;
      return known;
    }
    const node = ++this.#last;
    this.#nodes.set(node, { entry, lookups: 1n, lookedUpBy: isOwn ? pid : 0 });
    if (!isOwn) this.#byPath.set(entry.path, node);
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
    const node = this.#nodes.get(number);
    if (node === undefined) return;
    node.lookups -= lookups;
    if (node.lookups > 0n) return;
    this.#nodes.delete(number);
    if (this.#byPath.get(node.entry.path) === number) this.#byPath.delete(node.entry.path);
  }
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
