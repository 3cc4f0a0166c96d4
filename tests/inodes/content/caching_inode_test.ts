import { assert, assertEquals, assertRejects } from "@std/assert";
import { Fault, type FaultCode } from "../../../src/core/faults.ts";
import { FILE_OFFSET_MAX, MIB } from "../../../src/core/limits.ts";
import { MemoryStore, openInode, PAGE, pattern, readOf } from "../../support/inode_store.ts";

async function refused(code: FaultCode, call: () => Promise<unknown>): Promise<Fault> {
  const fault = await assertRejects(call, Fault);
  assertEquals(fault.code, code, fault.message);
  return fault;
}

/** Opens a file of this content in mode own, with all of it in the cache. */
async function cached(memory: MemoryStore, content: Uint8Array) {
  const node = memory.root.put("f", content);
  const inode = await openInode(memory.store);
  await readOf(inode);
  return { node, inode };
}

/** Holds fills between their read and the cache until the returned function is called. */
function holdReserves({ caches }: MemoryStore): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  caches.reserveGate = promise;
  return resolve;
}

Deno.test("CachingInode.read() makes one fill of a missing window, however many wait", async () => {
  const memory = new MemoryStore();
  const node = memory.root.put("f", pattern(10 * PAGE));
  const inode = await openInode(memory.store);
  const release = node.hold();
  const reads = Array.from({ length: 20 }, (_, at) => readOf(inode, at * 100, 5000));
  release();
  for (const [at, bytes] of (await Promise.all(reads)).entries()) {
    assertEquals(bytes, pattern(10 * PAGE).subarray(at * 100, at * 100 + 5000));
  }
  assertEquals(node.reads, 1);
  assertEquals(inode.stats().fills, 1);
  await readOf(inode, 0, 5000);
  assertEquals(inode.stats().hits, 1);
  assertEquals(inode.stats().misses, 20);
});

Deno.test("CachingInode.read() reads ahead 64 KiB, more when it goes on, and each page once", async () => {
  const memory = new MemoryStore();
  const node = memory.root.put("f", pattern(100 * PAGE + 5));
  const inode = await openInode(memory.store);
  assertEquals(await readOf(inode), pattern(100 * PAGE + 5));
  // 64 KiB, 128 KiB, and the rest of less than 256 KiB.
  assertEquals(node.reads, 3);
  assertEquals(inode.stats().residentBytes, BigInt(101 * PAGE));
});

Deno.test("CachingInode.read() finds zeros past a short file, whatever was read before it", async () => {
  const memory = new MemoryStore();
  memory.root.put("long", pattern(20 * PAGE));
  memory.root.put("short", pattern(10));
  await readOf(await openInode(memory.store, { path: "long" }));
  const inode = await openInode(memory.store, { path: "short" });
  assertEquals(await readOf(inode), pattern(10));
  await inode.write(pattern(1), BigInt(PAGE - 1));
  assertEquals((await readOf(inode)).subarray(10, PAGE - 1), new Uint8Array(PAGE - 11));
});

Deno.test("CachingInode reads and writes whole over a backing file that does one byte at a time", async () => {
  const memory = new MemoryStore();
  const node = memory.root.put("f", pattern(100));
  node.chunkBytes = 1;
  const inode = await openInode(memory.store);
  assertEquals(await readOf(inode), pattern(100));
  await inode.write(pattern(50, 9), 80n);
  await inode.write(pattern(9, 3), BigInt(3 * PAGE));
  await inode.sync();
  const wanted = new Uint8Array(3 * PAGE + 9);
  wanted.set(pattern(100));
  wanted.set(pattern(50, 9), 80);
  wanted.set(pattern(9, 3), 3 * PAGE);
  assertEquals(node.bytes, wanted);
  assertEquals(await readOf(inode), wanted);
});

Deno.test("CachingInode.write() takes a write of no byte without error for an error, not for ever", async () => {
  const memory = new MemoryStore();
  const { node, inode } = await cached(memory, pattern(100));
  node.takesNothing = true;
  await refused("backing-failed", () => inode.write(pattern(5), BigInt(PAGE)));
  await inode.write(pattern(5, 1), 0n);
  await refused("backing-failed", () => inode.sync());
  assertEquals(inode.stats().dirtyBytes, 5n);
});

Deno.test("CachingInode.write() sends cached parts to the cache, others to the backing file, to the byte", async () => {
  const memory = new MemoryStore();
  const node = memory.root.put("f", new Uint8Array(40 * PAGE));
  const inode = await openInode(memory.store);
  await readOf(inode, 20 * PAGE, 1);
  const resident = inode.pages();
  assertEquals(resident.map(({ start, end, state }) => `${start}-${end} ${state}`), [
    `${20 * PAGE}-${36 * PAGE} clean`,
  ]);
  const bytes = pattern(30 * PAGE, 5);
  await inode.write(bytes, BigInt(10 * PAGE + 7));
  assertEquals(node.bytes.subarray(10 * PAGE + 7, 20 * PAGE), bytes.subarray(0, 10 * PAGE - 7));
  assertEquals(node.bytes.subarray(20 * PAGE, 36 * PAGE), new Uint8Array(16 * PAGE));
  assertEquals(inode.stats().dirtyBytes, BigInt(16 * PAGE));
  assertEquals(inode.size, BigInt(40 * PAGE + 7));
  await inode.sync();
  assertEquals(node.bytes.subarray(10 * PAGE + 7), bytes);
  assertEquals(node.syncs, 1);
});

Deno.test("CachingInode.sync() writes back exactly the bytes that were written", async () => {
  const memory = new MemoryStore();
  const { node, inode } = await cached(memory, new Uint8Array(PAGE));
  await inode.write(pattern(3), 10n);
  await inode.write(pattern(3), 100n);
  const before = node.writes;
  await inode.sync();
  assertEquals(node.writes - before, 2);
  await inode.sync();
  assertEquals(node.writes - before, 2);
});

Deno.test("CachingInode keeps dirty what was written during its write-back", async () => {
  const memory = new MemoryStore();
  const { node, inode } = await cached(memory, new Uint8Array(PAGE));
  await inode.write(pattern(10, 1), 0n);
  const release = node.hold();
  const sync = inode.sync();
  await inode.write(pattern(4, 2), 2n);
  release();
  await sync;
  assertEquals(inode.stats().dirtyBytes, 4n);
  await inode.sync();
  assertEquals(node.bytes.subarray(2, 6), pattern(4, 2));
  assertEquals(inode.stats().dirtyBytes, 0n);
});

Deno.test("CachingInode.read() and write() of cached pages do not wait for a slow backing file", async () => {
  const memory = new MemoryStore();
  const { node, inode } = await cached(memory, pattern(PAGE));
  await inode.write(pattern(10, 1), 0n);
  const release = node.hold();
  const sync = inode.sync();
  await inode.write(pattern(10, 2), 50n);
  assertEquals(await readOf(inode, 50, 10), pattern(10, 2));
  release();
  await sync;
});

Deno.test("CachingInode.sync() keeps pages dirty on failure and shows it until one succeeds", async () => {
  for (const call of ["write", "sync", "look"] as const) {
    const memory = new MemoryStore();
    const { node, inode } = await cached(memory, new Uint8Array(PAGE));
    await inode.write(pattern(10), 0n);
    node.failing.set(call, "EIO");
    await refused("backing-failed", () => inode.sync());
    assertEquals(inode.stats().dirtyBytes, 10n, call);
    assertEquals(inode.failure?.code, "backing-failed");
    await refused("backing-failed", () => inode.sync());
    node.failing.clear();
    await inode.sync();
    assertEquals(inode.failure, undefined);
    assertEquals(inode.stats().dirtyBytes, 0n);
    assertEquals(node.bytes.subarray(0, 10), pattern(10));
  }
});

Deno.test("CachingInode.evict() writes dirty bytes back, and refuses pages that it cannot", async () => {
  const memory = new MemoryStore();
  const { node, inode } = await cached(memory, new Uint8Array(4 * PAGE));
  await inode.write(pattern(10), BigInt(PAGE));
  node.failing.set("write", "EIO");
  const evicted = await inode.evict();
  assertEquals(evicted.bytes, BigInt(3 * PAGE));
  assertEquals(evicted.refused.map(({ range }) => range), [
    { start: BigInt(PAGE), end: BigInt(2 * PAGE) },
  ]);
  assert(evicted.refused[0]?.why.includes("EIO"));
  node.failing.clear();
  assertEquals(await inode.evict(), { bytes: BigInt(PAGE), refused: [] });
  assertEquals(await readOf(inode, PAGE, 10), pattern(10));
});

Deno.test("CachingInode.read() gives the whole pages before a failing one, and its error behind", async () => {
  const memory = new MemoryStore();
  const node = memory.root.put("f", pattern(8 * PAGE));
  node.failsFrom = 3 * PAGE + 100;
  const inode = await openInode(memory.store);
  assertEquals(await readOf(inode, 0, 3 * PAGE), pattern(8 * PAGE).subarray(0, 3 * PAGE));
  await refused("backing-failed", () => readOf(inode, 3 * PAGE, 10));
  node.failsFrom = Infinity;
  assertEquals(await readOf(inode), pattern(8 * PAGE));
});

Deno.test("CachingInode.sync() refuses to overwrite a change from outside below dirty bytes", async () => {
  const memory = new MemoryStore();
  const { node, inode } = await cached(memory, new Uint8Array(PAGE));
  await inode.write(pattern(10), 0n);
  node.setContent(pattern(20, 7));
  await refused("backing-changed", () => inode.sync());
  await refused("backing-changed", () => inode.sync());
  assertEquals(node.bytes, pattern(20, 7));
  assertEquals(await readOf(inode, 0, 10), pattern(10));
  await inode.replace(pattern(30, 8));
  await inode.sync();
  assertEquals(node.bytes, pattern(30, 8));
});

Deno.test("CachingInode.sync() refuses to write back when its path leads to another file", async () => {
  const memory = new MemoryStore();
  const { node, inode } = await cached(memory, new Uint8Array(PAGE));
  await inode.write(pattern(10), 0n);
  node.isNamed = false;
  await refused("backing-changed", () => inode.sync());
  node.isNamed = true;
  await inode.sync();
});

Deno.test("CachingInode takes a change from outside over when nothing is dirty", async () => {
  const memory = new MemoryStore();
  const { node, inode } = await cached(memory, pattern(3 * PAGE));
  const { etag } = inode;
  node.setContent(pattern(PAGE + 5, 9));
  await inode.sync();
  assert(inode.etag !== etag);
  assertEquals(inode.size, BigInt(PAGE + 5));
  assertEquals(await readOf(inode), pattern(PAGE + 5, 9));
});

Deno.test("CachingInode.read() does not cache what it read before a change was taken over", async () => {
  const memory = new MemoryStore();
  const node = memory.root.put("f", pattern(PAGE));
  const inode = await openInode(memory.store);
  const release = holdReserves(memory);
  const read = readOf(inode, 0, PAGE);
  while (memory.caches.reserves === 0) await Promise.resolve();
  node.setContent(pattern(PAGE, 9));
  await inode.sync();
  release();
  assertEquals(await read, pattern(PAGE, 9));
  assertEquals(await readOf(inode), pattern(PAGE, 9));
});

Deno.test("CachingInode.write() past the cache waits for a fill of its page, which has older bytes", async () => {
  const memory = new MemoryStore();
  memory.root.put("f", pattern(PAGE));
  const inode = await openInode(memory.store);
  const release = holdReserves(memory);
  const read = readOf(inode, 0, PAGE);
  while (memory.caches.reserves === 0) await Promise.resolve();
  const write = inode.write(pattern(10, 9), 0n);
  release();
  await Promise.all([read, write]);
  assertEquals(await readOf(inode, 0, 10), pattern(10, 9));
});

Deno.test("CachingInode.read() of a page waits for a write past the cache to it", async () => {
  const memory = new MemoryStore();
  const node = memory.root.put("f", pattern(PAGE));
  const inode = await openInode(memory.store);
  const release = node.hold("write");
  const write = inode.write(pattern(10, 9), 0n);
  while (node.writes === 0) await Promise.resolve();
  const read = readOf(inode, 0, PAGE);
  for (let turn = 0; turn < 100; turn++) await Promise.resolve();
  release();
  await Promise.all([read, write]);
  assertEquals(await readOf(inode, 0, 10), pattern(10, 9));
});

Deno.test("CachingInode.read() of an evicted page waits until its storage is given back", async () => {
  const memory = new MemoryStore();
  const { inode } = await cached(memory, pattern(PAGE));
  const { promise, resolve } = Promise.withResolvers<void>();
  memory.caches.punchGate = promise;
  const evicted = inode.evict();
  while (inode.stats().residentBytes > 0n) await Promise.resolve();
  const read = readOf(inode, 0, PAGE);
  for (let turn = 0; turn < 100; turn++) await Promise.resolve();
  resolve();
  await evicted;
  assertEquals(await read, pattern(PAGE));
  assertEquals(await readOf(inode), pattern(PAGE));
});

Deno.test("CachingInode.setAttributes() that cuts lets no fill of the tail begin beside it", async () => {
  // A read that begins in any turn after the one work that the cut waits for.
  for (let turns = 0; turns < 40; turns++) {
    const memory = new MemoryStore();
    const { inode } = await cached(memory, pattern(4 * PAGE));
    const { promise, resolve } = Promise.withResolvers<void>();
    memory.caches.punchGate = promise;
    const evicted = inode.evict();
    while (inode.stats().residentBytes > 0n) await Promise.resolve();
    const cut = inode.setAttributes({ sizeBytes: 10n });
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    resolve();
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    const release = holdReserves(memory);
    const read = readOf(inode, 2 * PAGE, PAGE);
    for (let turn = 0; turn < 200; turn++) await Promise.resolve();
    release();
    await Promise.all([evicted, cut, read]);
    assertEquals(inode.size, 10n);
    assert(inode.pages().every(({ end }) => end <= BigInt(PAGE)), `turn ${turns}`);
    await inode.setAttributes({ sizeBytes: BigInt(3 * PAGE) });
    assertEquals((await readOf(inode)).subarray(10), new Uint8Array(3 * PAGE - 10), `${turns}`);
  }
});

Deno.test("CachingInode.etag differs after each change, and is none while one is under way", async () => {
  for (const cache of ["host", "own"] as const) {
    const memory = new MemoryStore();
    const node = memory.root.put("f", pattern(PAGE));
    const inode = await openInode(memory.store, { cache });
    const etags = new Set([inode.etag]);
    const release = node.hold();
    const write = inode.write(pattern(5), 0n);
    while (node.writes === 0) await Promise.resolve();
    assertEquals(inode.etag, undefined);
    release();
    await write;
    etags.add(inode.etag);
    node.failing.set("write", "EIO");
    await refused("backing-failed", () => inode.write(pattern(5), 10n));
    etags.add(inode.etag);
    node.failing.clear();
    await inode.replace(pattern(PAGE));
    etags.add(inode.etag);
    assertEquals(etags.size, 4, cache);
  }
});

Deno.test("CachingInode.read() of a file that was cut outside is short, or refused below dirty bytes", async () => {
  const memory = new MemoryStore();
  const node = memory.root.put("f", pattern(60 * PAGE));
  const inode = await openInode(memory.store);
  await readOf(inode, 0, 10);
  node.setContent(pattern(60 * PAGE).subarray(0, 40 * PAGE + 3));
  const into = new Uint8Array(60 * PAGE);
  assertEquals(await inode.read(into, 0n), 40 * PAGE + 3);
  assertEquals(into.subarray(0, 40 * PAGE + 3), pattern(60 * PAGE).subarray(0, 40 * PAGE + 3));
  await inode.evict();
  await readOf(inode, 0, 10);
  await inode.write(pattern(5), 0n);
  node.setContent(pattern(17 * PAGE));
  await refused("backing-changed", () => readOf(inode));
});

Deno.test("CachingInode.replace() that shrinks leaves zeros for a later growth", async () => {
  const memory = new MemoryStore();
  const { node, inode } = await cached(memory, pattern(3 * PAGE));
  await inode.write(pattern(3 * PAGE, 4), 0n);
  await inode.replace(pattern(100, 5));
  await inode.write(pattern(10, 6), BigInt(2 * PAGE));
  const wanted = new Uint8Array(2 * PAGE + 10);
  wanted.set(pattern(100, 5));
  wanted.set(pattern(10, 6), 2 * PAGE);
  assertEquals(await readOf(inode), wanted);
  await inode.sync();
  assertEquals(node.bytes, wanted);
});

Deno.test("CachingInode.write() answers cache-full when no dirty byte can leave, and goes on when one can", async () => {
  const memory = new MemoryStore({ cacheBytes: MIB });
  const { node, inode } = await cached(memory, new Uint8Array(900 * 1024));
  node.failing.set("write", "EIO");
  await inode.write(pattern(MIB / 2), 0n);
  const fault = await refused("cache-full", () => inode.write(pattern(PAGE), 600n * 1024n));
  assertEquals(fault.retryable, true);
  await inode.write(pattern(PAGE, 3), 0n);
  node.failing.clear();
  await inode.write(pattern(PAGE), 600n * 1024n);
  assertEquals(node.bytes.subarray(0, PAGE), pattern(PAGE, 3));
});

Deno.test("CachingInode keeps the cache within its budget, dirty or not", async () => {
  const memory = new MemoryStore({ cacheBytes: MIB });
  const node = memory.root.put("f", new Uint8Array(4 * MIB));
  const inode = await openInode(memory.store);
  const wanted = new Uint8Array(4 * MIB);
  for (let at = 0; at < 4 * MIB; at += 16 * PAGE) {
    await readOf(inode, at, 1);
    await inode.write(pattern(PAGE, at % 250), BigInt(at));
    wanted.set(pattern(PAGE, at % 250), at);
    assert(inode.stats().residentBytes <= BigInt(MIB));
  }
  assertEquals(await readOf(inode), wanted);
  await inode.sync();
  assertEquals(node.bytes, wanted);
  assert(inode.stats().evictedBytes > 0);
});

Deno.test("CachingInode.read() goes past a cache that finds no storage", async () => {
  const memory = new MemoryStore();
  memory.root.put("f", pattern(40 * PAGE));
  memory.caches.full = "ENOSPC";
  const inode = await openInode(memory.store);
  assertEquals(await readOf(inode), pattern(40 * PAGE));
  assertEquals(inode.stats().residentBytes, 0n);
  assertEquals(memory.store.stats().residentBytes, 0n);
});

Deno.test("CachingInode.write() is not acknowledged before the journal has it", async () => {
  const memory = new MemoryStore();
  const { node, inode } = await cached(memory, new Uint8Array(PAGE));
  memory.journals.isFull = true;
  await refused("state-unavailable", () => inode.write(pattern(10), 0n));
  // The next one is refused before it changes anything.
  await refused("state-unavailable", () => inode.write(pattern(10, 9), 20n));
  assertEquals(await readOf(inode, 20, 10), new Uint8Array(10));
  memory.journals.isFull = false;
  await inode.write(pattern(10, 9), 20n);
  await inode.sync();
  assertEquals(node.bytes.subarray(20, 30), pattern(10, 9));
});

Deno.test("CachingInode refuses to write read-only, or past the largest offset, and changes nothing", async () => {
  const memory = new MemoryStore();
  for (const cache of ["host", "own"] as const) {
    memory.root.put(cache, pattern(10));
    const readOnly = await openInode(memory.store, { path: cache, access: "ro", cache });
    await refused("inode-read-only", () => readOnly.write(pattern(1), 0n));
    await refused("inode-read-only", () => readOnly.replace(pattern(1)));
    assertEquals(await readOf(readOnly), pattern(10));
  }
  const inode = await openInode(memory.store, { path: "new" });
  await refused("value-not-allowed", () => inode.write(pattern(1), FILE_OFFSET_MAX));
  assertEquals(inode.size, 0n);
});

Deno.test("CachingInode.write() of nothing changes nothing, reads at the end give nothing", async () => {
  const memory = new MemoryStore();
  const { inode } = await cached(memory, pattern(10));
  const { etag } = inode;
  await inode.write(new Uint8Array(0), 100n);
  assertEquals(inode.etag, etag);
  assertEquals(await inode.read(new Uint8Array(5), 10n), 0);
  assertEquals(await inode.read(new Uint8Array(5), 1n << 62n), 0);
  assertEquals(await inode.read(new Uint8Array(0), 3n), 0);
});

Deno.test("CachingInode.attributes() shows a size and time that the backing file does not have yet", async () => {
  const memory = new MemoryStore();
  const { inode } = await cached(memory, pattern(10));
  assertEquals(inode.attributes().dirty, ["accessTime"]);
  await inode.sync();
  assertEquals(inode.attributes().dirty, []);
  await inode.write(pattern(10), 5n);
  assertEquals(inode.attributes().sizeBytes, 15n);
  assertEquals(inode.attributes().dirty, ["size", "modificationTime", "statusChangeTime"]);
  await inode.sync();
  assertEquals(inode.attributes().dirty, []);
  assertEquals(inode.attributes().sizeBytes, 15n);
});
