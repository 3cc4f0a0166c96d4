import { assert, assertEquals } from "@std/assert";
import { Fault } from "../../src/core/faults.ts";
import type { CachingInode } from "../../src/inodes/content/caching_inode.ts";
import type { Mapping } from "../../src/inodes/mapping/mapping_set.ts";
import { MemoryStore, openInode, PAGE, pattern as freshPattern } from "./inode_store.ts";
import type { MemoryNode } from "./memory_files.ts";
import { SeededRandom } from "./random.ts";

const STEPS = 24;
const PAGES = 40;
const SPACE = PAGES * PAGE;
/** Made once: to make bytes anew for each step would take most of the time. */
const BYTES = freshPattern(SPACE + 251);
const CALLS = ["read", "write", "truncate", "sync", "look", "allocate", "change"] as const;

/**
 * One random life of an inode beside a plain array of bytes that is to look the same: reads,
 * writes of every sort, truncates, allocations, mappings with stores through them, evictions,
 * syncs, changes from outside, and storage that is short or fails.
 *
 * @throws When they differ
 */
export async function runInodeScript(seed: number): Promise<void> {
  await new InodeScript(new SeededRandom(seed)).run();
}

class InodeScript {
  readonly #random: SeededRandom;
  readonly #memory: MemoryStore;
  readonly #mapped = new Map<string, Mapping>();
  #bytes = new Uint8Array(0);
  #permissions = 0o644;
  #cache: "own" | "host" = "own";

  constructor(random: SeededRandom) {
    this.#random = random;
    this.#memory = new MemoryStore({ cacheBytes: random.pick([2, 24, 64, 400]) * PAGE });
  }

  async run(): Promise<void> {
    this.#cache = this.#random.below(5) === 0 ? "host" : "own";
    this.#bytes = pattern(this.#random.below(SPACE), 1);
    const node = this.#memory.root.put("f", this.#bytes);
    node.chunkBytes = this.#random.pick([Infinity, Infinity, PAGE, 1000]);
    const inode = await openInode(this.#memory.store, { cache: this.#cache });
    const steps = this.#steps(inode, node);
    const names = Object.keys(steps);
    let name = "";
    try {
      for (let step = 0; step < STEPS; step++) {
        name = this.#random.pick(names);
        if (this.#random.below(8) === 0) node.failing.set(this.#random.pick(CALLS), "EIO");
        await steps[name]?.();
        node.failing.clear();
        assertEquals(inode.size, BigInt(this.#bytes.byteLength), "size");
        assertEquals(inode.attributes().permissions, this.#permissions);
      }
      name = "the end";
      for (const mapping of inode.mappings.list()) inode.mappings.remove(mapping);
      await this.#sync(inode);
      assertSame(node.bytes, this.#bytes, "backing file");
      assertEquals(inode.stats().dirtyBytes, 0n);
      await this.#memory.store.release(inode.identity.id, "test");
      const { residentBytes, dirtyBytes, referencedBytes } = this.#memory.store.stats();
      assertEquals([residentBytes, dirtyBytes, referencedBytes], [0n, 0n, 0n]);
      assertEquals(this.#memory.caches.files.size, 0);
    } catch (error) {
      throw new Error(`${this.#cache}, ${name}: ${(error as Error).message}`, { cause: error });
    }
  }

  #steps(inode: CachingInode, node: MemoryNode): Record<string, () => Promise<void>> {
    const random = this.#random;
    const write = async (isDurable: boolean): Promise<void> => {
      const bytes = pattern(1 + random.below(6 * PAGE), random.below(250));
      const offset = random.below(SPACE - bytes.byteLength);
      await this.#change(
        inode,
        this.#with(bytes, offset),
        () => inode.write(bytes, BigInt(offset), { isDurable }),
      );
    };
    return {
      read: async () => {
        const offset = random.below(SPACE);
        const into = new Uint8Array(random.below(12 * PAGE));
        const read = await attempt(() => inode.read(into, BigInt(offset)));
        if (read === undefined) return;
        const wanted = this.#bytes.subarray(offset, offset + into.byteLength);
        assertSame(into.subarray(0, read), wanted, `read ${offset}+${into.byteLength}`);
      },
      readAll: async () => {
        const found = await attempt(() => this.#contentOf(inode));
        if (found !== undefined) assertSame(found, this.#bytes, "content");
      },
      write: () => write(false),
      writeAgain: () => write(false),
      writeDurable: () => write(true),
      writeParts: async () => {
        const parts = [1, 2, 3].map(() => ({
          offset: BigInt(random.below(SPACE / 2)),
          bytes: pattern(1 + random.below(2 * PAGE), random.below(250)),
        }));
        const steps: Uint8Array<ArrayBuffer>[] = [];
        for (const { offset, bytes } of parts) {
          steps.push(overlaid(steps.at(-1) ?? this.#bytes, bytes, Number(offset)));
        }
        const [wanted = this.#bytes] = steps.slice(-1);
        // All or none, unless the undo itself fails: then it is anything in between.
        await this.#change(inode, wanted, () => inode.writeParts(parts), steps);
      },
      replace: async () => {
        const bytes = pattern(random.below(SPACE), random.below(250));
        await this.#change(inode, bytes, () => inode.replace(bytes));
      },
      truncate: async () => {
        const size = random.below(SPACE);
        const wanted = new Uint8Array(size);
        wanted.set(this.#bytes.subarray(0, size));
        await this.#change(inode, wanted, () => inode.setAttributes({ sizeBytes: BigInt(size) }));
      },
      allocate: async () => {
        const [offset, length] = [random.below(SPACE / 2), 1 + random.below(SPACE / 2)];
        const wanted = overlaid(this.#bytes, new Uint8Array(0), offset + length);
        await this.#change(inode, wanted, () => inode.allocate(BigInt(offset), BigInt(length)));
      },
      permissions: async () => {
        const permissions = random.below(0o1000);
        const isDone = await attempt(() => inode.setAttributes({ permissions }).then(() => true));
        if (isDone) this.#permissions = permissions;
      },
      sync: async () => void await attempt(() => inode.sync()),
      evict: async () => {
        const start = BigInt(random.below(SPACE));
        await attempt(() => inode.evict([{ start, end: start + BigInt(random.below(SPACE)) }]));
      },
      invalidate: async () => void await attempt(() => inode.invalidate()),
      reopen: async () => void await attempt(() => this.#memory.store.reopen(inode.identity.id)),
      outside: async () => {
        if (this.#mapped.size > 0) return;
        node.failing.clear();
        await this.#sync(inode);
        this.#bytes = pattern(random.below(SPACE), random.below(250));
        node.setContent(this.#bytes);
        await inode.revalidate();
      },
      map: async () => {
        const first = random.below(PAGES - 1);
        const length = BigInt((1 + random.below(PAGES - first)) * PAGE);
        const start = BigInt(first * PAGE);
        const mapping: Mapping = {
          space: random.pick(["a", "b"]),
          address: start,
          range: { start, end: start + length },
          isWritable: true,
        };
        if (this.#mapped.size >= 3) return;
        this.#mapped.set(`${mapping.space} ${first} ${length}`, mapping);
        inode.mappings.add(mapping);
        await this.#store(inode, mapping);
      },
      // deno-lint-ignore require-await -- like the others
      unmap: async () => {
        for (const mapping of this.#mapped.values()) {
          // One that another overlaps may have taken parts of it away.
          if (inode.mappings.list().length > 0) attemptNow(() => inode.mappings.remove(mapping));
        }
        this.#mapped.clear();
      },
    };
  }

  /** Stores through a mapping what a translation allows. */
  async #store(inode: CachingInode, { range }: Mapping): Promise<void> {
    if (this.#cache === "host") return;
    const request = { required: range, optional: range, isWrite: true };
    const found = await attempt(() => inode.mappings.translate(request, "test"));
    const pages = this.#memory.caches.files.get(inode.identity.id);
    for (const { source } of found?.translations ?? []) {
      const end = Math.min(Number(source.end), this.#bytes.byteLength);
      if (end <= Number(source.start)) continue;
      const at = Number(source.start) + this.#random.below(end - Number(source.start));
      const page = pages?.get(BigInt(Math.floor(at / PAGE)));
      assert(page !== undefined, "a translated page is not in the cache");
      page[at % PAGE] = 252;
      this.#bytes = overlaid(this.#bytes, Uint8Array.of(252), at);
    }
  }

  /** Syncs. What an earlier sync has lost and the cache does not have is written again first. */
  async #sync(inode: CachingInode): Promise<void> {
    try {
      await inode.sync();
    } catch (error) {
      if (!(error as Error).message.includes("a sync before has failed")) throw error;
      // No more at once than the smallest of these caches may have dirty.
      for (let at = 0; at < this.#bytes.byteLength; at += PAGE) {
        await inode.write(this.#bytes.slice(at, at + PAGE), BigInt(at));
      }
      await inode.sync();
    }
  }

  /** Makes a change. When it fails, each byte is as before or as wanted. */
  async #change(
    inode: CachingInode,
    wanted: Uint8Array<ArrayBuffer>,
    change: () => Promise<unknown>,
    between: readonly Uint8Array[] = [],
  ): Promise<void> {
    const isDone = await attempt(() => change().then(() => true));
    if (isDone) {
      this.#bytes = wanted;
      return;
    }
    for (const node of this.#memory.root.nodes.values()) node.failing.clear();
    const found = await this.#contentOf(inode);
    const states = [this.#bytes, wanted, ...between];
    for (let at = 0; at < found.byteLength; at++) {
      const isKnown = states.some((bytes) => (bytes[at] ?? 0) === found[at]);
      assert(isKnown, `byte ${at} is ${found[at]}: it was ${this.#bytes[at]}, to be ${wanted[at]}`);
    }
    this.#bytes = found;
  }

  async #contentOf(inode: CachingInode): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(Number(inode.size));
    return bytes.slice(0, await inode.read(bytes, 0n));
  }

  #with(bytes: Uint8Array, offset: number): Uint8Array<ArrayBuffer> {
    return overlaid(this.#bytes, bytes, offset);
  }
}

function pattern(length: number, salt: number): Uint8Array<ArrayBuffer> {
  return BYTES.slice(salt, salt + length);
}

function overlaid(below: Uint8Array, bytes: Uint8Array, offset: number): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(Math.max(below.byteLength, offset + bytes.byteLength));
  all.set(below);
  all.set(bytes, offset);
  return all;
}

/** As assertEquals, which takes a hundred times as long on bytes. */
function assertSame(found: Uint8Array, wanted: Uint8Array, what: string): void {
  const at = found.findIndex((byte, index) => byte !== wanted[index]);
  assert(at < 0, `${what}: byte ${at} is ${found[at]} and should be ${wanted[at]}`);
  assertEquals(found.byteLength, wanted.byteLength, what);
}

/** What a call gives; `undefined` when a fault of the storage ended it. */
async function attempt<Result>(call: () => Promise<Result>): Promise<Result | undefined> {
  try {
    return await call();
  } catch (error) {
    if (error instanceof Fault) return undefined;
    throw error;
  }
}

function attemptNow(call: () => unknown): void {
  try {
    call();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
  }
}
