/** What an inode makes of another program that changes its file at any moment (docs/inodes.md#7). */
import { assert, assertEquals, assertNotEquals, assertRejects } from "@std/assert";
import { Fault } from "../../../src/core/faults.ts";
import { FILL_BYTES_MAX, READ_RESTARTS_MAX } from "../../../src/core/limits.ts";
import {
  HostStore,
  MemoryStore,
  openInode,
  PAGE,
  pattern,
  readOf,
} from "../../support/inode_store.ts";

/** More than one fill reads. */
const LONG = 4 * FILL_BYTES_MAX;

async function opened(length = 2 * PAGE) {
  const memory = new MemoryStore();
  const node = memory.root.put("f", pattern(length));
  return { memory, node, inode: await openInode(memory.store) };
}

Deno.test("a read after an outside change of equal size and time has one version, under another tag", async () => {
  const { node, inode } = await opened(LONG);
  await readOf(inode, 0, 10);
  const { etag } = inode;
  node.setContentUnnoticed(pattern(LONG, 9));
  assertEquals(await readOf(inode), pattern(LONG, 9));
  assertNotEquals(inode.etag, etag);
});

Deno.test("a read during which the file changes begins anew, and gives up when that never ends", async () => {
  const { node, inode } = await opened(LONG);
  let reads = 0;
  node.before = (call) => {
    if (call === "read" && ++reads === 2) node.setContentUnnoticed(pattern(LONG, 9));
  };
  assertEquals(await readOf(inode), pattern(LONG, 9));
  await inode.evict();
  node.before = (call) => {
    if (call === "read") node.setContentUnnoticed(pattern(LONG, ++reads));
  };
  const fault = await assertRejects(() => readOf(inode), Fault);
  assertEquals(fault.code, "backing-failed");
  assert(fault.message.includes(`${READ_RESTARTS_MAX} times`), fault.message);
});

Deno.test("pages of another version are not filled in beside dirty bytes", async () => {
  const { node, inode } = await opened(LONG);
  await readOf(inode, 0, 10);
  await inode.write(pattern(10, 3), 0n);
  node.setContentUnnoticed(pattern(LONG, 9));
  const fault = await assertRejects(() => readOf(inode, LONG - PAGE, PAGE), Fault);
  assertEquals(fault.code, "backing-changed");
  assertEquals(node.bytes, pattern(LONG, 9));
});

Deno.test("an outside change while a sync waits for storage is not taken for our own", async () => {
  const { node, inode } = await opened();
  await readOf(inode);
  await inode.write(pattern(10, 3), 0n);
  const { promise, resolve } = Promise.withResolvers<void>();
  let isSyncing = false;
  node.before = (call) => {
    if (call !== "sync") return;
    isSyncing = true;
    return promise;
  };
  const sync = inode.sync();
  while (!isSyncing) await Promise.resolve();
  node.setContentUnnoticed(pattern(2 * PAGE, 9));
  node.before = () => {};
  resolve();
  await sync;
  assertEquals(await inode.revalidate(), true);
  assertEquals(await readOf(inode), pattern(2 * PAGE, 9));
});

Deno.test("a name that we give or take is no outside change", async () => {
  const { inode, node } = await opened();
  await readOf(inode);
  await inode.write(pattern(10, 3), 0n);
  await inode.link("g");
  await inode.unlink("g");
  await inode.sync();
  assertEquals(node.bytes.subarray(0, 10), pattern(10, 3));
});

for (const cache of ["own", "host"] as const) {
  Deno.test(`an entity tag tells of a change that size and time hide, in mode ${cache}`, async () => {
    await using host = new HostStore();
    await Deno.writeFile(host.path("f"), pattern(2 * PAGE));
    const time = new Date(1_000_000_000_000);
    await Deno.utime(host.path("f"), time, time);
    const inode = await openInode(host.store, { cache });
    await readOf(inode);
    const { etag } = inode;
    await Deno.writeFile(host.path("f"), pattern(2 * PAGE, 9));
    await Deno.utime(host.path("f"), time, time);
    await inode.revalidate();
    assert(etag !== undefined);
    assertNotEquals(inode.etag, etag);
    assertEquals(await readOf(inode), pattern(2 * PAGE, 9));
  });

  Deno.test(`there is no tag while a page is mapped for writing, and another one after, in mode ${cache}`, async () => {
    await using host = new HostStore();
    await Deno.writeFile(host.path("f"), pattern(2 * PAGE));
    const inode = await openInode(host.store, { cache });
    await readOf(inode);
    const { etag } = inode;
    const range = { start: 0n, end: BigInt(PAGE) };
    const mapping = { space: "test", address: 0n, range, isWritable: true };
    inode.mappings.add(mapping);
    const request = { required: range, optional: range, isWrite: true };
    await inode.mappings.translate(request, "test");
    assertEquals(inode.etag, undefined);
    inode.mappings.remove(mapping);
    await inode.sync();
    assert(inode.etag !== undefined);
    assertNotEquals(inode.etag, etag);
  });
}

for (const cache of ["own", "host"] as const) {
  Deno.test(`a write that fails half-way says how far it came, and leaves the size, in mode ${cache}`, async () => {
    const memory = new MemoryStore();
    const node = memory.root.put("f", pattern(PAGE));
    const inode = await openInode(memory.store, { cache });
    node.chunkBytes = 100;
    node.before = (call) => {
      if (call === "write" && node.writes === 5) node.failing.set("write", "EIO");
    };
    const fault = await assertRejects(() => inode.write(pattern(PAGE, 5), BigInt(PAGE)), Fault);
    assertEquals(fault.code, "backing-failed");
    assertEquals(fault.members, { writtenBytes: "0", size: String(PAGE) });
    assertEquals(inode.size, BigInt(PAGE));
    assertEquals(node.bytes, pattern(PAGE));
    node.failing.clear();
    node.before = () => {};
    await inode.write(pattern(10, 5), BigInt(PAGE));
    assertEquals(await readOf(inode, PAGE), pattern(10, 5));
  });

  Deno.test(`times of another owner's file are left to the host, unless they are set on purpose, in mode ${cache}`, async () => {
    const memory = new MemoryStore();
    const node = memory.root.put("f", pattern(PAGE));
    const inode = await openInode(memory.store, { cache });
    node.failing.set("change", "EPERM");
    await readOf(inode);
    inode.touch(["accessTime", "modificationTime"]);
    await inode.write(pattern(10, 5), 0n);
    await inode.sync();
    const fault = await assertRejects(() => inode.setAttributes({ modificationTimeNs: 5n }), Fault);
    assertEquals(fault.code, "file-not-permitted");
    await memory.store.release(inode.identity.id, "test");
    assertEquals(node.bytes.subarray(0, 10), pattern(10, 5));
  });
}
