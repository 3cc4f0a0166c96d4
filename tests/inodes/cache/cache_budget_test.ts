import { assertEquals } from "@std/assert";
import { DIRTY_RUNS_MAX } from "../../../src/core/limits.ts";
import type { Range } from "../../../src/core/segments.ts";
import { type Block, CacheBudget, type PageOwner } from "../../../src/inodes/cache/cache_budget.ts";

const BLOCK_BYTES = 10;

/** An owner of blocks that are dirty or clean as a whole. */
class Owner implements PageOwner {
  readonly dropped: bigint[] = [];
  readonly dirty = new Set<bigint>();
  readonly blocks = new Map<bigint, Block>();
  writeBackFails = false;
  dropGate: Promise<void> = Promise.resolve();

  constructor(readonly budget: CacheBudget) {}

  get dirtyBytes(): bigint {
    return BigInt(this.dirty.size * BLOCK_BYTES);
  }

  async add(start: bigint, state: "clean" | "dirty"): Promise<boolean> {
    if (!await this.budget.reserve(BLOCK_BYTES)) return false;
    const block = { owner: this, start, end: start + 1n, referenced: false };
    this.blocks.set(start, block);
    this.budget.enter(block);
    if (state === "dirty") {
      this.dirty.add(start);
      this.budget.countDirty(BigInt(BLOCK_BYTES), 1);
    }
    return true;
  }

  dropClean({ start }: Range): Promise<void> {
    const block = this.blocks.get(start);
    if (block !== undefined && !this.dirty.has(start)) {
      this.dropped.push(start);
      this.blocks.delete(start);
      this.budget.leave(block);
      this.budget.release(BLOCK_BYTES);
    }
    return this.dropGate;
  }

  async writeBack(): Promise<void> {
    await Promise.resolve();
    if (this.writeBackFails) throw new Error("down");
    this.budget.countDirty(-this.dirtyBytes, -this.dirty.size);
    this.dirty.clear();
  }
}

Deno.test("CacheBudget.reserve() drops the oldest clean block that was not used since", async () => {
  const budget = new CacheBudget(30);
  const owner = new Owner(budget);
  for (const start of [1n, 2n, 3n]) await owner.add(start, "clean");
  const first = owner.blocks.get(1n);
  if (first !== undefined) first.referenced = true;
  await owner.add(4n, "clean");
  assertEquals(owner.dropped, [2n]);
  await owner.add(5n, "clean");
  assertEquals(owner.dropped, [2n, 3n]);
  await owner.add(6n, "clean");
  assertEquals(owner.dropped, [2n, 3n, 1n]);
});

Deno.test("CacheBudget.reserve() drops clean blocks first, then dirty ones after their write-back", async () => {
  const budget = new CacheBudget(30);
  const owner = new Owner(budget);
  await owner.add(1n, "dirty");
  await owner.add(2n, "clean");
  await owner.add(3n, "dirty");
  await owner.add(4n, "dirty");
  assertEquals(owner.dropped, [2n]);
  assertEquals(owner.dirty.size, 3);
  await owner.add(5n, "clean");
  assertEquals(owner.dirty.size, 0);
  assertEquals(owner.dropped.length, 2);
});

Deno.test("CacheBudget.reserve() says no when all is dirty and cannot leave, and takes nothing", async () => {
  const budget = new CacheBudget(20);
  const owner = new Owner(budget);
  owner.writeBackFails = true;
  await owner.add(1n, "dirty");
  await owner.add(2n, "dirty");
  assertEquals(await owner.add(3n, "clean"), false);
  assertEquals(budget.usedBytes, 20);
  assertEquals(await budget.reserve(21), false);
});

Deno.test("CacheBudget.reserve() keeps the limit while storage is still being given back", async () => {
  const budget = new CacheBudget(20);
  const owner = new Owner(budget);
  await owner.add(1n, "clean");
  await owner.add(2n, "clean");
  const { promise, resolve } = Promise.withResolvers<void>();
  owner.dropGate = promise;
  const reserved = Promise.all([1, 2, 3].map(() => budget.reserve(BLOCK_BYTES)));
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
  resolve();
  assertEquals(await reserved, [true, true, false]);
  assertEquals(budget.usedBytes, 20);
});

Deno.test("CacheBudget.relieve() writes back until the bytes are admitted", async () => {
  const budget = new CacheBudget(40);
  const [a, b] = [new Owner(budget), new Owner(budget)];
  await a.add(1n, "dirty");
  await b.add(1n, "dirty");
  assertEquals(budget.admitsDirty(1n), false);
  a.writeBackFails = true;
  assertEquals(await budget.relieve(10n), true);
  assertEquals(a.dirty.size, 1);
  assertEquals(await budget.relieve(20n), false);
});

Deno.test("CacheBudget.relieve() writes back when dirty bytes lie in too many runs, however short they are", async () => {
  const budget = new CacheBudget(1 << 20);
  const owner = new Owner(budget);
  await owner.add(1n, "dirty");
  budget.countDirty(0n, DIRTY_RUNS_MAX - 2);
  assertEquals(budget.admitsDirty(1n), true);
  await owner.add(2n, "dirty");
  assertEquals(budget.admitsDirty(0n), false);
  assertEquals(await budget.relieve(1n), true);
  assertEquals(owner.dirty.size, 0);
});
