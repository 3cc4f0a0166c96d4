/**
 * The nasty cases that no other test covers. Where each number is tested:
 *
 * 1, 4, 5, 7, 8, 18, 21–25, 28, 32, 35, 36: here. 2, 11, 12, 26, 37: attributes_test.ts.
 * 3, 6, 13, 14, 27: mapping_test.ts. 15, 19, 20: content/caching_inode_test.ts. 16, 17:
 * tests/native/host_file_mapper_test.ts, and reopen in attributes_test.ts. 9, 10, 33, 34:
 * tests/routes/inodes/data_test.ts. 38: foreign_truncate_test.ts.
 *
 * 29 and 30 are about the map of device numbers (tests/devices). 31 does not apply, because an inode
 * has no snapshot. A death in the middle of a write is in recovery_test.ts and kill_test.ts.
 *
 * @module
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Fault, type FaultCode } from "../../src/core/faults.ts";
import { CHUNK_BYTES } from "../../src/core/limits.ts";
import {
  HostStore,
  MemoryStore,
  openInode,
  PAGE,
  pattern,
  readOf,
} from "../support/inode_store.ts";

async function refused(code: FaultCode, call: () => Promise<unknown>): Promise<void> {
  const fault = await assertRejects(call, Fault);
  assertEquals(fault.code, code, fault.message);
}

async function cached(memory: MemoryStore, content: Uint8Array) {
  const node = memory.root.put("f", content);
  const inode = await openInode(memory.store);
  await readOf(inode);
  return { node, inode };
}

const whole = (pages: number) => ({
  space: "vm",
  address: 0n,
  range: { start: 0n, end: BigInt(pages * PAGE) },
  isWritable: true,
});

Deno.test("case 1: a shrink cuts dirty bytes at the new end, and nothing is written behind it later", async () => {
  const memory = new MemoryStore();
  const { node, inode } = await cached(memory, new Uint8Array(3 * PAGE));
  await inode.write(pattern(3 * PAGE), 0n);
  await inode.setAttributes({ sizeBytes: BigInt(PAGE + 9) });
  assert(inode.stats().dirtyBytes <= BigInt(PAGE + 9));
  await inode.sync();
  assertEquals(node.bytes, pattern(3 * PAGE).slice(0, PAGE + 9));
  assertEquals(await readOf(inode), node.bytes);
});

Deno.test("case 4: a write over the end, partly cached, reads whole before and after a sync", async () => {
  const memory = new MemoryStore();
  const { node, inode } = await cached(memory, pattern(100));
  const bytes = pattern(3 * PAGE, 7);
  await inode.write(bytes, 50n);
  const wanted = new Uint8Array(50 + 3 * PAGE);
  wanted.set(pattern(100));
  wanted.set(bytes, 50);
  assertEquals(await readOf(inode), wanted);
  // What is past the cache is in the file already; what is in it is not.
  assertEquals(node.bytes.subarray(100, PAGE), new Uint8Array(PAGE - 100));
  assertEquals(node.bytes.subarray(PAGE), wanted.subarray(PAGE));
  await inode.sync();
  assertEquals(node.bytes, wanted);
});

Deno.test("case 5: whole pages that are dirty through a mapping are written back up to the size", async () => {
  const memory = new MemoryStore();
  const { node, inode } = await cached(memory, pattern(PAGE + 9));
  inode.mappings.add(whole(2));
  const { range } = whole(2);
  await inode.mappings.translate({ required: range, optional: range, isWrite: true }, "test");
  assertEquals(inode.stats().dirtyBytes, BigInt(2 * PAGE));
  await inode.sync();
  assertEquals(node.bytes, pattern(PAGE + 9));
  // The journal knows the size as well: a restart makes the file no longer.
  memory.store = memory.restart();
  assertEquals((await memory.store.recover()).map(({ outcome }) => outcome), ["restored"]);
  assertEquals(node.bytes, pattern(PAGE + 9));
});

Deno.test("case 7: a file that grew outside shows no zeros of a cached tail", async () => {
  const memory = new MemoryStore();
  const { node, inode } = await cached(memory, pattern(100));
  node.setContent(pattern(2 * PAGE));
  assertEquals(await inode.revalidate(), true);
  assertEquals(await readOf(inode), pattern(2 * PAGE));
});

Deno.test("case 8: holes read as zeros, and cached ones ask the backing file no more", async () => {
  const memory = new MemoryStore();
  const inode = await openInode(memory.store);
  await inode.setAttributes({ sizeBytes: BigInt(40 * PAGE) });
  assertEquals(await readOf(inode), new Uint8Array(40 * PAGE));
  const node = memory.root.nodes.get("f");
  const reads = node?.reads;
  assertEquals(await readOf(inode, 5, 30 * PAGE), new Uint8Array(30 * PAGE));
  assertEquals(node?.reads, reads);
});

Deno.test("case 18: overlapping writers tear no write apart, and the last one wins", async () => {
  for (const cache of ["own", "host"] as const) {
    const memory = new MemoryStore();
    const node = memory.root.put("f", new Uint8Array(6 * PAGE));
    node.chunkBytes = 1000;
    const inode = await openInode(memory.store, { cache });
    if (cache === "own") await readOf(inode, PAGE, PAGE);
    const bytes = (salt: number) => new Uint8Array(4 * PAGE).fill(salt);
    const salts = [...Array(20).keys()].map((at) => at + 1);
    await Promise.all(salts.map((salt) => inode.write(bytes(salt), BigInt(PAGE))));
    assertEquals(await readOf(inode, PAGE, 4 * PAGE), bytes(20));
    await inode.sync();
    assertEquals(node.bytes.subarray(PAGE, 5 * PAGE), bytes(20));
  }
});

Deno.test("case 21: reads of one byte, of none and failing ones end, with what there was", async () => {
  const memory = new MemoryStore();
  const node = memory.root.put("f", pattern(200));
  node.chunkBytes = 1;
  const inode = await openInode(memory.store);
  assertEquals(await readOf(inode), pattern(200));
  await inode.invalidate();
  // The size says 200, and reads say that the file ended at 100: an error and no endless loop.
  const { bytes } = node;
  node.before = (call) => {
    if (call === "read") node.bytes = bytes.slice(0, 100);
    if (call === "look") node.bytes = bytes;
  };
  await refused("backing-failed", () => readOf(inode));
  node.before = () => {};
  node.bytes = bytes;
  assertEquals(await readOf(inode), pattern(200));
});

Deno.test("cases 22 and 23: a write-back that stops anywhere is carried through by a later one", async () => {
  const memory = new MemoryStore();
  const { node, inode } = await cached(memory, new Uint8Array(4 * PAGE));
  await inode.write(pattern(PAGE, 1), 10n);
  await inode.write(pattern(PAGE, 2), BigInt(2 * PAGE + 10));
  node.chunkBytes = 100;
  for (const stopAt of [1, 7, 41, 42, 60]) {
    let writes = 0;
    node.before = (call) => {
      if (call === "write" && ++writes === stopAt) node.failing.set("write", "EIO");
    };
    await refused("backing-failed", () => inode.sync());
    assertEquals(inode.stats().dirtyBytes, BigInt(2 * PAGE));
    node.failing.clear();
  }
  node.before = () => {};
  await inode.sync();
  assertEquals(node.bytes, await readOf(inode));
  assertEquals(node.bytes.subarray(2 * PAGE + 10, 3 * PAGE + 10), pattern(PAGE, 2));
});

Deno.test("case 24: a sync ends although new bytes become dirty all the time", async () => {
  const memory = new MemoryStore();
  const { node, inode } = await cached(memory, new Uint8Array(4 * PAGE));
  let salt = 0;
  node.before = async (call) => {
    if (call === "write") await inode.write(pattern(9, ++salt), 100n);
  };
  await inode.write(pattern(5), 0n);
  await inode.sync();
  assert(salt > 0 && salt < 10, String(salt));
  assertEquals(inode.stats().dirtyBytes, 9n);
});

Deno.test("case 25: a release with mappings, or with dirty bytes and a dead backing file, is refused and can be tried again", async () => {
  const memory = new MemoryStore();
  const { node, inode } = await cached(memory, new Uint8Array(PAGE));
  const { id } = inode.identity;
  inode.mappings.add(whole(1));
  await refused("inode-mapped", () => memory.store.release(id, "test"));
  inode.mappings.remove(whole(1));
  await inode.write(pattern(9), 0n);
  node.failing.set("look", "EIO").set("write", "EIO");
  await refused("backing-failed", () => memory.store.release(id, "test"));
  node.failing.clear();
  await memory.store.release(id, "test");
  assertEquals(node.bytes.subarray(0, 9), pattern(9));
});

Deno.test("case 28: two names of a file are one inode, and a number that is used again is another", async () => {
  await using host = new HostStore();
  await Deno.writeFile(host.path("f"), pattern(10));
  await Deno.link(host.path("f"), host.path("g"));
  const f = await openInode(host.store);
  assert(await openInode(host.store, { path: "g", holder: "b" }) === f);
  const { id } = f.identity;
  await host.store.release(id, "test");
  await host.store.release(id, "b");
  await Deno.remove(host.path("f"));
  await Deno.remove(host.path("g"));
  // Many file systems hand the number of a removed file out again at once.
  await Deno.writeFile(host.path("f"), pattern(20, 4));
  const next = await openInode(host.store);
  assert(next !== f && next.identity.id !== id);
  assertEquals(await readOf(next), pattern(20, 4));
});

Deno.test("case 32: bytes around chunk borders and past 2^31 are where they belong", async () => {
  await using host = new HostStore();
  const inode = await openInode(host.store);
  await inode.setAttributes({ sizeBytes: (1n << 33n) + 5n });
  for (const border of [CHUNK_BYTES, 2 ** 31, 2 ** 32, 2 ** 33 - CHUNK_BYTES]) {
    await readOf(inode, border - PAGE, 2 * PAGE);
    const bytes = pattern(2 * PAGE + 2, border % 97);
    await inode.write(bytes, BigInt(border - PAGE - 1));
    assertEquals(await readOf(inode, border - PAGE - 1, bytes.byteLength), bytes);
  }
  await inode.sync();
  using file = await Deno.open(host.path("f"));
  await file.seek(2 ** 31 - PAGE - 1, Deno.SeekMode.Start);
  const found = new Uint8Array(2 * PAGE + 2);
  await file.read(found);
  assertEquals(found, pattern(2 * PAGE + 2, 2 ** 31 % 97));
});

Deno.test("case 35: a budget below one window still reads and writes, and dirty bytes that cannot leave push back", async () => {
  const memory = new MemoryStore({ cacheBytes: 2 * PAGE });
  const node = memory.root.put("f", pattern(40 * PAGE));
  const inode = await openInode(memory.store);
  assertEquals(await readOf(inode), pattern(40 * PAGE));
  await inode.write(pattern(20 * PAGE, 5), 9n);
  assertEquals(await readOf(inode, 9, 20 * PAGE), pattern(20 * PAGE, 5));
  await inode.sync();
  assertEquals(node.bytes.subarray(9, 20 * PAGE + 9), pattern(20 * PAGE, 5));
  assertEquals(memory.store.stats().residentBytes, 0n);
});

Deno.test("case 36: a clock that steps back takes the times along, and no change gets lost", async () => {
  // Times are those of the last change as the clock told them, as in Linux: not monotonic. What
  // tells one version from the next is a count.
  let nowNs = 1_000_000n;
  const clock = { wallNs: () => nowNs, monotonicMs: () => 0, after: () => () => {} };
  const memory = new MemoryStore({ clock });
  const { inode } = await cached(memory, pattern(PAGE));
  await inode.write(pattern(1), 0n);
  const { etag } = inode;
  nowNs = 5n;
  await inode.write(pattern(1), 1n);
  assertEquals(inode.attributes().modificationTimeNs, 5n);
  assert(inode.etag !== etag);
});
