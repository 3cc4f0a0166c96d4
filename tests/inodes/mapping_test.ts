import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Fault, type FaultCode } from "../../src/core/faults.ts";
import { MAPPINGS_PER_INODE_MAX } from "../../src/core/limits.ts";
import type { Range } from "../../src/core/segments.ts";
import type { CachingInode } from "../../src/inodes/content/caching_inode.ts";
import type { Mapping } from "../../src/inodes/mapping/mapping_set.ts";
import {
  HostStore,
  MemoryStore,
  openInode,
  PAGE,
  pattern,
  readOf,
} from "../support/inode_store.ts";
import { inOtherProcess } from "../support/mapper.ts";

const pages = (from: number, to: number): Range => ({
  start: BigInt(from * PAGE),
  end: BigInt(to * PAGE),
});

function mapping(from: number, to: number, rest: Partial<Mapping> = {}): Mapping {
  const range = pages(from, to);
  return { space: "vm", address: 0x10000n + range.start, range, isWritable: false, ...rest };
}

async function refused(code: FaultCode, call: () => Promise<unknown>): Promise<void> {
  assertEquals((await assertRejects(call, Fault)).code, code);
}

function refusedNow(code: FaultCode, call: () => unknown): void {
  assertEquals(assertThrows(call, Fault).code, code);
}

function translate(inode: CachingInode, from: number, to: number, isWrite = false) {
  const required = pages(from, to);
  return inode.mappings.translate({ required, optional: required, isWrite }, "test");
}

Deno.test("CachingInode.mappings.add() tells what was not mapped before, and removeMapping() what no longer is (case 27)", async () => {
  const memory = new MemoryStore();
  memory.root.put("f", pattern(8 * PAGE));
  const inode = await openInode(memory.store);
  assertEquals(inode.mappings.add(mapping(0, 4)), [pages(0, 4)]);
  assertEquals(inode.mappings.add(mapping(0, 4)), []);
  assertEquals(inode.mappings.add(mapping(2, 6, { space: "other" })), [pages(4, 6)]);
  refusedNow("mapping-not-found", () => inode.mappings.remove(mapping(0, 4, { isWritable: true })));
  refusedNow("mapping-not-found", () => inode.mappings.remove(mapping(0, 4, { address: 0n })));
  assertEquals(inode.mappings.remove(mapping(1, 3)), [pages(1, 2)]);
  assertEquals(inode.mappings.list().map(({ space, range }) => `${space} ${range.start / 4096n}`), [
    "vm 0",
    "other 2",
    "vm 3",
  ]);
  const wrong: Mapping[] = [
    mapping(0, 0),
    mapping(0, 1, { range: { start: 1n, end: 4096n } }),
    mapping(0, 1, { range: { start: 0n, end: 4095n } }),
    mapping(0, 1, { address: 1n }),
    mapping(0, 1, { address: (1n << 64n) - 4096n, range: pages(0, 2) }),
    mapping(0, 1, { range: { start: (1n << 63n) - 4096n, end: (1n << 63n) + 4096n } }),
    mapping(0, 1, { range: { start: 8192n, end: 4096n } }),
  ];
  for (const bad of wrong) {
    refusedNow("value-not-allowed", () => inode.mappings.add(bad));
    refusedNow("value-not-allowed", () => inode.mappings.remove(bad));
  }
  assertEquals(inode.stats().mappedBytes, BigInt(5 * PAGE));
});

Deno.test("CachingInode.mappings.copy() maps the same bytes at another address", async () => {
  const memory = new MemoryStore();
  const inode = await openInode(memory.store);
  inode.mappings.add(mapping(0, 2));
  assertEquals(inode.mappings.copy(mapping(0, 2), 0x90000n), []);
  refusedNow("mapping-not-found", () => inode.mappings.copy(mapping(4, 6), 0n));
  assertEquals(inode.mappings.remove(mapping(0, 2)), []);
  assertEquals(inode.mappings.remove(mapping(0, 2, { address: 0x90000n })), [pages(0, 2)]);
});

Deno.test("CachingInode.evict() leaves mapped and referenced pages, and says why (cases 13 and 14)", async () => {
  const memory = new MemoryStore();
  memory.root.put("f", pattern(8 * PAGE));
  const inode = await openInode(memory.store);
  await readOf(inode);
  inode.mappings.add(mapping(1, 3));
  inode.mappings.addReference(pages(5, 6));
  const { bytes, refused } = await inode.evict();
  assertEquals(bytes, BigInt(5 * PAGE));
  assertEquals(refused, [
    { range: pages(1, 3), why: "it is mapped" },
    { range: pages(5, 6), why: "it is referenced" },
  ]);
  // Mapped while the write-back of the evict runs: the page stays.
  await readOf(inode);
  await inode.write(pattern(1), 0n);
  const evicted = inode.evict();
  inode.mappings.add(mapping(0, 1));
  assert((await evicted).refused.some(({ range }) => range.start === 0n));
  inode.mappings.removeReference(pages(5, 6));
  refusedNow("reference-not-found", () => inode.mappings.removeReference(pages(5, 6)));
  refusedNow("value-not-allowed", () => inode.mappings.addReference({ start: 1n, end: 2n }));
});

Deno.test("CachingInode.translate() names the cache file, and keeps written pages dirty until they are unmapped", async () => {
  const memory = new MemoryStore();
  const node = memory.root.put("f", pattern(4 * PAGE));
  const inode = await openInode(memory.store);
  await refused("not-mapped", () => translate(inode, 0, 2));
  inode.mappings.add(mapping(0, 2));
  await refused("not-mapped", () => translate(inode, 0, 2, true));
  await refused("not-mapped", () => translate(inode, 1, 3));
  const { translations, busError } = await translate(inode, 0, 2);
  assertEquals(busError, undefined);
  assertEquals(
    translations.map(({ source, offset, permissions }) => ({ source, offset, permissions })),
    [
      { source: pages(0, 2), offset: 0n, permissions: { write: false } },
    ],
  );
  assertEquals(inode.stats().dirtyBytes, 0n);
  inode.mappings.add(mapping(1, 2, { isWritable: true }));
  await translate(inode, 1, 2, true);
  assertEquals(inode.pages().map(({ state, isMapped }) => `${state} ${isMapped}`), [
    "clean true",
    "kept-dirty true",
    "clean false",
  ]);
  assertEquals(inode.etag, undefined);
  await inode.sync();
  assertEquals(inode.stats().dirtyBytes, BigInt(PAGE));
  inode.mappings.remove(mapping(1, 2, { isWritable: true }));
  assertEquals(inode.stats().dirtyBytes, BigInt(PAGE));
  inode.mappings.remove(mapping(0, 2));
  await inode.sync();
  assertEquals(inode.stats().dirtyBytes, 0n);
  assertEquals(inode.stats().referencedBytes, 0n);
  assert(inode.etag !== undefined);
  assertEquals(node.bytes, pattern(4 * PAGE));
});

Deno.test("CachingInode.translate() is cut by a bus error at the end of the content, and at a failing page (case 6)", async () => {
  const memory = new MemoryStore();
  const node = memory.root.put("f", pattern(40 * PAGE + 5));
  const inode = await openInode(memory.store);
  inode.mappings.add(mapping(0, 60));
  const past = await translate(inode, 41, 42);
  assertEquals([past.translations.length, past.busError?.offset], [0, BigInt(41 * PAGE)]);
  const over = await translate(inode, 40, 44);
  assertEquals(over.translations.map(({ source }) => source), [pages(40, 41)]);
  assertEquals(over.busError, { offset: BigInt(41 * PAGE), fault: undefined });
  await inode.invalidate();
  node.failsFrom = 3 * PAGE + 1;
  const failed = await translate(inode, 0, 8);
  assertEquals(failed.translations.map(({ source }) => source), [pages(0, 3)]);
  assertEquals(failed.busError?.fault?.code, "backing-failed");
  node.failsFrom = Infinity;
  node.setContent(pattern(2 * PAGE));
  const cut = await translate(inode, 1, 5);
  assertEquals(cut.translations.map(({ source }) => source), [pages(1, 2)]);
  assertEquals(cut.busError?.fault, undefined);
});

Deno.test("CachingInode.translate() returns at most a fill window of the optional range that is mapped", async () => {
  const memory = new MemoryStore();
  memory.root.put("f", pattern(100 * PAGE));
  const inode = await openInode(memory.store);
  inode.mappings.add(mapping(0, 80));
  const wide = { required: pages(2, 3), optional: pages(0, 100), isWrite: false };
  const { translations } = await inode.mappings.translate(wide, "test");
  assertEquals(translations.map(({ source }) => source), [pages(2, 18)]);
  await refused(
    "value-not-allowed",
    () =>
      inode.mappings.translate(
        { required: pages(2, 3), optional: pages(3, 9), isWrite: false },
        "test",
      ),
  );
  await refused("holder-not-found", () => inode.mappings.translate(wide, "nobody"));
});

Deno.test("CachingInode: a store through a mapping after a shrink and a growth is not lost (case 3)", async () => {
  await using host = new HostStore();
  await Deno.writeFile(host.path("f"), pattern(2 * PAGE));
  const inode = await openInode(host.store);
  const whole = mapping(0, 2, { isWritable: true });
  inode.mappings.add(whole);
  const { translations: [place] } = await translate(inode, 0, 2, true);
  assert(place !== undefined);
  await inode.setAttributes({ sizeBytes: 100n });
  await inode.setAttributes({ sizeBytes: BigInt(PAGE) });
  assertEquals((await readOf(inode)).subarray(100), new Uint8Array(PAGE - 100));
  const file = await Deno.open(place.file, { write: true });
  await file.seek(200, Deno.SeekMode.Start);
  await file.write(pattern(5, 9));
  file.close();
  inode.mappings.remove(mapping(0, 1, { isWritable: true }));
  await inode.sync();
  assertEquals((await Deno.readFile(host.path("f"))).subarray(200, 205), pattern(5, 9));
  inode.mappings.remove(mapping(1, 2, { isWritable: true }));
});

for (const cache of ["own", "host"] as const) {
  Deno.test(`another process maps what a translation in mode ${cache} names, and shares its bytes`, async () => {
    await using host = new HostStore();
    await Deno.writeTextFile(host.path("f"), "old ".repeat(4 * PAGE / 4));
    const inode = await openInode(host.store, { cache });
    const whole = mapping(1, 3, { isWritable: true });
    inode.mappings.add(whole);
    const { translations: [place] } = await translate(inode, 1, 3, true);
    assert(place !== undefined);
    const { file, offset } = place;
    await inode.write(new TextEncoder().encode("API!"), BigInt(PAGE + 4));
    assertEquals(await inOtherProcess(file, offset, 12), "old API!old ");
    await inOtherProcess(file, offset, 12, "map!");
    assertEquals(new TextDecoder().decode(await readOf(inode, PAGE, 12)), "map!API!old ");
    await inode.sync();
    const synced = await Deno.readFile(host.path("f"));
    assertEquals(new TextDecoder().decode(synced.subarray(PAGE, PAGE + 12)), "map!API!old ");
    await inOtherProcess(file, offset, 12, "map!last");
    inode.mappings.remove(whole);
    await host.store.release(inode.identity.id, "test");
    const closed = await Deno.readFile(host.path("f"));
    assertEquals(new TextDecoder().decode(closed.subarray(PAGE, PAGE + 12)), "map!last" + "old ");
  });
}

Deno.test("CachingInode.etag is another one after pages could be changed unseen", async () => {
  const memory = new MemoryStore();
  memory.root.put("f", pattern(PAGE));
  const inode = await openInode(memory.store);
  const before = inode.etag;
  inode.mappings.add(mapping(0, 1, { isWritable: true }));
  await translate(inode, 0, 1, true);
  assertEquals(inode.etag, undefined);
  inode.mappings.remove(mapping(0, 1, { isWritable: true }));
  await inode.sync();
  assert(inode.etag !== undefined && inode.etag !== before);
});

Deno.test("CachingInode.translate() ends when its mapping does, however small the cache is", async () => {
  const memory = new MemoryStore({ cacheBytes: 64 * PAGE });
  memory.root.put("f", pattern(200 * PAGE));
  const inode = await openInode(memory.store);
  inode.mappings.add(mapping(0, 200));
  const translated = translate(inode, 0, 200);
  inode.mappings.remove(mapping(0, 200));
  await refused("not-mapped", () => translated);
  await memory.store.release(inode.identity.id, "test");
});

Deno.test("CachingInode.translate() pins nothing for a holder that left meanwhile", async () => {
  const memory = new MemoryStore();
  const node = memory.root.put("f", pattern(4 * PAGE));
  const inode = await openInode(memory.store);
  await openInode(memory.store, { holder: "other" });
  inode.mappings.add(mapping(0, 4, { isWritable: true }));
  const release = node.hold("read");
  const translated = translate(inode, 0, 1, true);
  await memory.store.release(inode.identity.id, "test");
  release();
  await refused("holder-not-found", () => translated);
  assertEquals([inode.stats().referencedBytes, inode.stats().dirtyBytes], [0n, 0n]);
});

Deno.test("CachingInode.mappings.add() costs the same however long the mapping is", async () => {
  const memory = new MemoryStore();
  memory.root.put("f", pattern(PAGE));
  const inode = await openInode(memory.store);
  const whole = { space: "vm", address: 0n, range: { start: 0n, end: 1n << 63n } };
  inode.mappings.add({ ...whole, isWritable: false });
  assertEquals([inode.stats().mappedBytes, inode.stats().mappedChunks], [1n << 63n, 2 ** 42]);
  inode.mappings.add(mapping(600, 601));
  inode.mappings.add(mapping(1023, 1025));
  inode.mappings.remove({ ...whole, isWritable: false });
  assertEquals(inode.stats().mappedBytes, BigInt(3 * PAGE));
  // The pages 600 and 1023 are in one chunk of 512, page 1024 is in the next.
  assertEquals(inode.stats().mappedChunks, 2);
});

Deno.test("CachingInode.mappings.add() refuses more than so many, runs of each counted, and adds nothing", async () => {
  const memory = new MemoryStore();
  memory.root.put("f", pattern(PAGE));
  const inode = await openInode(memory.store);
  for (let page = 0; page < 200; page += 2) inode.mappings.add(mapping(page, page + 1));
  const whole = (space: number) => mapping(0, 200, { space: `s${space}` });
  let added = 0;
  while (added < MAPPINGS_PER_INODE_MAX) {
    try {
      inode.mappings.add(whole(added));
      added++;
    } catch (error) {
      assertEquals((error as Fault).code, "mappings-exhausted");
      break;
    }
  }
  // Each is cut into some 200 runs.
  assert(added > 40 && added < 60, `${added}`);
  assertEquals(inode.mappings.list().filter(({ space }) => space === `s${added}`), []);
});

Deno.test("CachingInode.invalidate() writes back what a translation that came meanwhile made dirty", async () => {
  const memory = new MemoryStore();
  const node = memory.root.put("f", new Uint8Array(PAGE));
  const inode = await openInode(memory.store);
  await readOf(inode);
  inode.mappings.add(mapping(0, 1, { isWritable: true }));
  await inode.write(pattern(1), 0n);
  // The last look before the cache is dropped; the one before it belongs to the write-back.
  let looks = 0;
  node.before = async (call) => {
    if (call !== "look" || ++looks !== 2) return;
    await translate(inode, 0, 1, true);
    const [pages] = [...memory.caches.files.values()];
    pages?.get(0n)?.fill(77, 0, 1);
  };
  await inode.invalidate();
  assertEquals(node.bytes[0], 77);
  assertEquals(inode.stats().residentBytes, 0n);
});
