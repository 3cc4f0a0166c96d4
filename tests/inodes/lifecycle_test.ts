import { assert, assertEquals, assertRejects } from "@std/assert";
import { Fault } from "../../src/core/faults.ts";
import { UNSYNCED_RUNS_MAX, WRITE_BACK_DELAY_MS } from "../../src/core/limits.ts";
import { ReadAhead } from "../../src/inodes/cache/read_ahead.ts";
import { Unsynced } from "../../src/inodes/ranges/unsynced.ts";
import { WriteBackTimer } from "../../src/inodes/writeback/write_back_timer.ts";
import { FakeClock } from "../support/clock.ts";
import {
  HostStore,
  MemoryStore,
  openInode,
  PAGE,
  pattern,
  readOf,
} from "../support/inode_store.ts";

/** Lets everything run that waits for nothing but its turn. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 200; turn++) await Promise.resolve();
}

async function dirty(memory: MemoryStore) {
  const node = memory.root.put("f", new Uint8Array(4 * PAGE));
  const inode = await openInode(memory.store);
  await readOf(inode);
  await inode.write(pattern(9), 0n);
  return { node, inode };
}

Deno.test("CachedInode writes dirty bytes back some time after it was made, and again after a failure", async () => {
  const memory = new MemoryStore();
  const { node, inode } = await dirty(memory);
  memory.clock.advance(WRITE_BACK_DELAY_MS - 1);
  await settle();
  assertEquals(inode.stats().dirtyBytes, 9n);
  node.failing.set("write", "EIO");
  memory.clock.advance(1);
  await settle();
  assertEquals(inode.failure?.code, "backing-failed");
  assertEquals(memory.events.kinds.filter((kind) => kind === "inode.failed").length, 1);
  node.failing.clear();
  memory.clock.advance(2 * WRITE_BACK_DELAY_MS);
  await settle();
  assertEquals(inode.stats().dirtyBytes, 0n);
  assertEquals(inode.failure, undefined);
  assertEquals(node.bytes.subarray(0, 9), pattern(9));
  assertEquals(memory.clock.pending, 0);
  await inode.write(pattern(9), 0n);
  await memory.store.release(inode.identity.id, "test");
  assertEquals(memory.clock.pending, 0);
});

Deno.test("WriteBackTimer runs again for bytes that became dirty while it ran", async () => {
  const clock = new FakeClock();
  const { promise, resolve } = Promise.withResolvers<boolean>();
  let runs = 0;
  const timer = new WriteBackTimer(clock, () => ++runs === 1 ? promise : Promise.resolve(false));
  timer.start();
  clock.advance(WRITE_BACK_DELAY_MS);
  timer.start();
  resolve(false);
  await settle();
  clock.advance(WRITE_BACK_DELAY_MS);
  await settle();
  assertEquals([runs, clock.pending], [2, 0]);
});

Deno.test("CachingInode.write() that could not be made durable is written back later all the same", async () => {
  const memory = new MemoryStore();
  const node = memory.root.put("f", new Uint8Array(PAGE));
  const inode = await openInode(memory.store);
  await readOf(inode);
  node.failing.set("sync", "EIO");
  await assertRejects(() => inode.write(pattern(1), 0n, { isDurable: true }), Fault);
  assertEquals([inode.stats().dirtyBytes, memory.clock.pending], [1n, 1]);
  node.failing.clear();
  memory.clock.advance(WRITE_BACK_DELAY_MS);
  await settle();
  assertEquals(inode.stats().dirtyBytes, 0n);
});

for (const cache of ["own", "host"] as const) {
  Deno.test(`CachingInode.sync() in mode ${cache} answers for no byte that a failed sync has lost`, async () => {
    const memory = new MemoryStore();
    const node = memory.root.put("f", new Uint8Array(4 * PAGE));
    const inode = await openInode(memory.store, { cache });
    // In mode own this page is cached and the one after the next is not.
    await readOf(inode, 0, 10);
    await inode.evict([{ start: BigInt(PAGE), end: BigInt(4 * PAGE) }]);
    await inode.write(pattern(10), 0n);
    memory.clock.advance(WRITE_BACK_DELAY_MS);
    await settle();
    assertEquals(node.bytes.subarray(0, 10), pattern(10));
    node.failing.set("sync", "EIO");
    await assertRejects(() => inode.sync(), Fault);
    node.failing.clear();
    const before = node.writes;
    if (cache === "own") {
      // The cache has it still, so it is written and synced once more.
      await inode.sync();
      assertEquals(node.writes - before, 1);
    } else {
      await assertRejects(() => inode.sync(), Fault, "10 bytes from offset 0");
      await assertRejects(() => inode.sync(), Fault);
      assertEquals(inode.failure?.code, "backing-failed");
      await inode.write(pattern(10), 0n);
      await inode.sync();
    }
    assertEquals(inode.failure, undefined);
    await inode.write(pattern(10), BigInt(2 * PAGE));
    node.failing.set("sync", "EIO");
    await assertRejects(() => inode.sync(), Fault);
    node.failing.clear();
    await assertRejects(() => inode.sync(), Fault);
    await inode.setAttributes({ sizeBytes: BigInt(PAGE) });
    await inode.sync();
    await inode.write(pattern(10), BigInt(2 * PAGE));
    node.failing.set("sync", "EIO");
    await assertRejects(() => inode.sync(), Fault);
    node.failing.clear();
    await inode.invalidate(true);
    await inode.sync();
    assertEquals(inode.failure, undefined);
  });
}

Deno.test("Unsynced loses what was written before a sync that failed, until it is written again", async () => {
  const unsynced = new Unsynced();
  const range = (start: number, end: number) => ({ start: BigInt(start), end: BigInt(end) });
  unsynced.note(range(0, 10));
  await unsynced.during(() => Promise.resolve());
  assertEquals(unsynced.lostBytes, 0n);
  unsynced.note(range(0, 10));
  const failing = unsynced.during(async () => {
    await settle();
    unsynced.note(range(4, 6));
    throw new Error("EIO");
  });
  await assertRejects(() => failing);
  assertEquals(unsynced.lostBytes, 8n);
  unsynced.note(range(0, 4));
  unsynced.forget(range(6, 8));
  assertEquals(unsynced.lostBytes, 2n);
  for (let at = 0; at <= UNSYNCED_RUNS_MAX; at++) unsynced.note(range(100 + 2 * at, 101 + 2 * at));
  await assertRejects(() => unsynced.during(() => Promise.reject(new Error("EIO"))));
  assertEquals(unsynced.lost().length <= UNSYNCED_RUNS_MAX, true);
});

Deno.test("CachingInode.setAttributes() that cuts all dirty bytes off ends a conflict below it", async () => {
  const memory = new MemoryStore();
  const { node, inode } = await dirty(memory);
  node.setContent(pattern(4 * PAGE, 3));
  await assertRejects(() => inode.sync(), Fault, "changed from outside");
  await inode.setAttributes({ sizeBytes: 0n });
  await inode.revalidate();
  await inode.write(pattern(9), 0n);
  await inode.sync();
  assertEquals(node.bytes, pattern(9));
});

Deno.test("InodeStore ends a hold whose lease nobody renews, with the mappings of its name", async () => {
  const memory = new MemoryStore();
  memory.root.put("f", pattern(PAGE));
  const inode = await openInode(memory.store, { holder: "vm", leaseMs: 100 });
  const range = { start: 0n, end: BigInt(PAGE) };
  inode.mappings.add({ space: "vm", address: 0n, range, isWritable: true });
  await inode.mappings.translate({ required: range, optional: range, isWrite: true }, "vm");
  memory.clock.advance(60);
  await openInode(memory.store, { holder: "vm", leaseMs: 100 });
  memory.clock.advance(60);
  await settle();
  assertEquals([...inode.holders], ["vm"]);
  memory.clock.advance(40);
  await settle();
  assertEquals(memory.store.list(), []);
  assertEquals(memory.clock.pending, 0);
  assert(
    memory.events.facts.some(({ kind, reason }) =>
      kind === "inode.released" && reason === "its lease ran out"
    ),
  );
});

Deno.test("InodeStore keeps a hold that was renewed while its lease ran out", async () => {
  const memory = new MemoryStore();
  const node = memory.root.put("f", pattern(PAGE));
  const inode = await openInode(memory.store, { leaseMs: 100 });
  const release = node.hold("look");
  const renewal = openInode(memory.store, { leaseMs: 100 });
  await settle();
  memory.clock.advance(100);
  await settle();
  release();
  assertEquals(await renewal, inode);
  await settle();
  assertEquals([memory.store.list(), [...inode.holders]], [[inode], ["test"]]);
  await memory.store.release(inode.identity.id, "test");
  assertEquals(memory.clock.pending, 0);
});

Deno.test("InodeStore ends no hold twice: by hand, and by the lease that ran out meanwhile", async () => {
  const memory = new MemoryStore();
  const node = memory.root.put("f", new Uint8Array(PAGE));
  const inode = await openInode(memory.store, { leaseMs: 100 });
  await openInode(memory.store, { holder: "other" });
  await readOf(inode);
  const release = node.hold("look");
  const again = openInode(memory.store, { holder: "third" });
  const released = memory.store.release(inode.identity.id, "test");
  memory.clock.advance(100);
  release();
  await Promise.all([again, released]);
  await settle();
  assertEquals([...inode.holders], ["other", "third"]);
  assertEquals(memory.clock.pending, 0);
});

Deno.test("InodeStore tries a lease that cannot end yet again, until it can", async () => {
  const memory = new MemoryStore();
  const node = memory.root.put("f", new Uint8Array(PAGE));
  const inode = await openInode(memory.store, { leaseMs: 100 });
  await readOf(inode);
  await inode.write(pattern(9), 0n);
  node.failing.set("write", "EIO");
  memory.clock.advance(100);
  await settle();
  assertEquals([...inode.holders], ["test"]);
  node.failing.clear();
  memory.clock.advance(100);
  await settle();
  assertEquals(memory.store.list(), []);
  assertEquals(node.bytes.subarray(0, 9), pattern(9));
});

Deno.test("InodeStore tells every change once, and no read or write", async () => {
  const memory = new MemoryStore();
  const { inode } = await dirty(memory);
  const range = { start: 0n, end: BigInt(PAGE) };
  const mapping = { space: "vm", address: 0n, range, isWritable: false };
  await inode.write(pattern(1), 0n, { isDurable: true });
  await inode.sync();
  await inode.evict();
  await inode.setAttributes({ sizeBytes: 5n });
  await inode.allocate(0n, 9n);
  await inode.link("g");
  await inode.unlink("g");
  inode.mappings.add(mapping);
  await inode.invalidate();
  inode.mappings.remove(mapping);
  await memory.store.reopen(inode.identity.id);
  await memory.store.release(inode.identity.id, "test");
  assertEquals(memory.events.kinds, [
    "inode.opened",
    "inode.synced",
    "inode.evicted",
    "inode.changed",
    "inode.allocated",
    "inode.linked",
    "inode.unlinked",
    "inode.mapped",
    "inode.invalidated",
    "inode.invalidated",
    "inode.unmapped",
    "inode.reopened",
    "inode.released",
  ]);
  assertEquals(new Set(memory.events.facts.map(({ subject }) => subject)).size, 1);
});

Deno.test("InodeStore.recover() tells what it restored, discarded or kept", async () => {
  const memory = new MemoryStore();
  await dirty(memory);
  await memory.restart("boot-2").recover();
  const [, notified] = memory.events.facts;
  assertEquals(notified?.kind, "inode.discarded");
  assertEquals([notified?.subject, notified?.data?.["dirtyBytes"]], ["r/f", 9n]);
});

for (const cache of ["own", "host"] as const) {
  Deno.test(`CachingInode.write() that is durable in mode ${cache} is in the file and synced, in groups`, async () => {
    const memory = new MemoryStore();
    const node = memory.root.put("f", new Uint8Array(40 * PAGE));
    const inode = await openInode(memory.store, { cache });
    await readOf(inode, 0, PAGE);
    const release = node.hold("sync");
    const writes = [...Array(32).keys()].map((at) =>
      inode.write(pattern(PAGE, at), BigInt(at * PAGE), { isDurable: true })
    );
    for (let turn = 0; turn < 20; turn++) await settle();
    release();
    await Promise.all(writes);
    assert(node.syncs >= 1 && node.syncs <= 3, `${node.syncs} syncs`);
    assertEquals(inode.stats().dirtyBytes, 0n);
    for (let at = 0; at < 32; at++) {
      assertEquals(await readOf(inode, at * PAGE, PAGE), pattern(PAGE, at));
      assertEquals(node.bytes.subarray(at * PAGE, (at + 1) * PAGE), pattern(PAGE, at));
    }
  });
}

Deno.test("CachingInode.write() that cannot be made durable leaves its cached bytes dirty, for a later sync", async () => {
  const memory = new MemoryStore();
  const node = memory.root.put("f", new Uint8Array(2 * PAGE));
  const inode = await openInode(memory.store);
  await readOf(inode);
  node.failing.set("sync", "EIO");
  await assertRejects(() => inode.write(pattern(9), 5n, { isDurable: true }), Fault);
  assertEquals(inode.stats().dirtyBytes, 9n);
  assertEquals(inode.failure?.code, "backing-failed");
  node.failing.clear();
  await inode.sync();
  assertEquals(inode.stats().dirtyBytes, 0n);
});

Deno.test("CachingInode.write() that is durable and fails midway leaves no page that differs from the file", async () => {
  const memory = new MemoryStore();
  const node = memory.root.put("f", new Uint8Array(2 * PAGE));
  const inode = await openInode(memory.store);
  await readOf(inode);
  node.chunkBytes = 100;
  let writes = 0;
  node.before = (call) => {
    if (call === "write" && ++writes === 3) node.failing.set("write", "EIO");
  };
  await assertRejects(() => inode.write(pattern(PAGE), 0n, { isDurable: true }), Fault);
  node.before = () => {};
  node.failing.clear();
  assertEquals(await readOf(inode), node.bytes);
});

Deno.test("CachingInode.writeParts() writes all parts, or takes back what it wrote", async () => {
  for (const cache of ["own", "host"] as const) {
    const memory = new MemoryStore();
    const node = memory.root.put("f", pattern(4 * PAGE));
    const inode = await openInode(memory.store, { cache });
    const parts = [
      { offset: 5n, bytes: pattern(9, 1) },
      { offset: 10n, bytes: pattern(PAGE, 2) },
      { offset: BigInt(5 * PAGE), bytes: pattern(7, 3) },
    ];
    // What is read to be taken back is cached by that: only the last part goes past the cache.
    const failsAt = cache === "own" ? 1 : 3;
    let writes = 0;
    node.before = (call) => {
      if (call === "write" && ++writes === failsAt) node.failing.set("write", "ENOSPC");
      else node.failing.clear();
    };
    await assertRejects(() => inode.writeParts(parts), Fault);
    node.before = () => {};
    node.failing.clear();
    assertEquals(await readOf(inode), pattern(4 * PAGE));
    assertEquals(node.bytes, pattern(4 * PAGE));
    await inode.writeParts(parts);
    const wanted = new Uint8Array(5 * PAGE + 7);
    wanted.set(pattern(4 * PAGE));
    for (const { offset, bytes } of parts) wanted.set(bytes, Number(offset));
    assertEquals(await readOf(inode), wanted);
  }
});

Deno.test("InodeStore: a backing file that hangs delays no other inode", async () => {
  const memory = new MemoryStore();
  const slow = memory.root.put("slow", pattern(4 * PAGE));
  memory.root.put("f", pattern(4 * PAGE));
  const hanging = await openInode(memory.store, { path: "slow" });
  await readOf(hanging, 0, 1);
  await hanging.write(pattern(9), 0n);
  await hanging.evict([{ start: BigInt(2 * PAGE), end: BigInt(3 * PAGE) }]);
  const release = slow.hold();
  const waiting = [hanging.sync(), hanging.write(pattern(9), BigInt(9 * PAGE)), hanging.evict()];
  const inode = await openInode(memory.store);
  await readOf(inode);
  await inode.write(pattern(9), 0n);
  await inode.sync();
  assertEquals(memory.store.stats().inodes, 2);
  assertEquals(await readOf(hanging, 0, 9), pattern(9));
  release();
  await Promise.all(waiting);
});

Deno.test("InodeStore: dirty bytes of one inode that are stuck do not keep another's from being written back", async () => {
  await using host = new HostStore({ cacheBytes: 64 * PAGE });
  await Deno.writeFile(host.path("f"), new Uint8Array(256 * PAGE));
  const inode = await openInode(host.store);
  for (let at = 0; at < 256; at++) {
    await readOf(inode, at * PAGE, 1);
    await inode.write(pattern(PAGE, at % 250), BigInt(at * PAGE));
    assert(host.store.stats().residentBytes <= BigInt(64 * PAGE));
  }
  await inode.sync();
  const found = await Deno.readFile(host.path("f"));
  for (let at = 0; at < 256; at++) {
    assertEquals(found.subarray(at * PAGE, (at + 1) * PAGE), pattern(PAGE, at % 250));
  }
});

Deno.test("ReadAhead doubles for each reader that goes on where it stopped, up to its bound", () => {
  const ahead = new ReadAhead(64, 256);
  const fill = (offset: bigint) => {
    const bytes = ahead.windowAt(offset);
    ahead.expect(offset + BigInt(bytes), bytes);
    return bytes;
  };
  assertEquals([fill(0n), fill(64n), fill(192n), fill(448n)], [64, 128, 256, 256]);
  assertEquals([fill(10_000n), fill(704n), fill(10_064n)], [64, 256, 128]);
  assertEquals(fill(5n), 64);
});
