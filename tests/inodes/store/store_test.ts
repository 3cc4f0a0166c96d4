import { assert, assertEquals, assertRejects } from "@std/assert";
import { Fault, type FaultCode } from "../../../src/core/faults.ts";
import { HOLDERS_PER_INODE_MAX } from "../../../src/core/limits.ts";
import { MemoryStore, openInode, PAGE, pattern, readOf } from "../../support/inode_store.ts";

async function refused(code: FaultCode, call: () => Promise<unknown>): Promise<void> {
  const fault = await assertRejects(call, Fault);
  assertEquals(fault.code, code, fault.message);
}

Deno.test("InodeStore.open() shares one inode among the holders of a file, also at the same time", async () => {
  const { store, root } = new MemoryStore();
  root.put("f", pattern(10));
  const [a, b] = await Promise.all([
    openInode(store, { holder: "a" }),
    openInode(store, { holder: "b" }),
  ]);
  assert(a === b);
  assertEquals([...a.holders].sort(), ["a", "b"]);
  assertEquals(store.list().length, 1);
  await openInode(store, { holder: "a" });
  assertEquals(store.stats().holders, 2);
});

Deno.test("InodeStore.open() refuses to share in other modes and leaves the open one as it was", async () => {
  const { store } = new MemoryStore();
  const inode = await openInode(store);
  await refused("inode-mode-differs", () => openInode(store, { cache: "host", holder: "b" }));
  await refused("inode-mode-differs", () => openInode(store, { access: "ro", holder: "b" }));
  assertEquals([...inode.holders], ["test"]);
});

Deno.test("InodeStore.open() bounds the holders of an inode", async () => {
  const { store } = new MemoryStore();
  for (let index = 0; index < HOLDERS_PER_INODE_MAX; index++) {
    await openInode(store, { holder: `h${index}` });
  }
  await refused("holders-exhausted", () => openInode(store, { holder: "more" }));
  await openInode(store, { holder: "h0" });
});

Deno.test("InodeStore.open() names what is wrong with a request", async () => {
  const { store } = new MemoryStore();
  await refused("root-not-found", () => openInode(store, { root: "other" }));
  await refused("file-not-found", () => openInode(store, { create: "never" }));
  await openInode(store);
  await refused("file-exists", () => openInode(store, { create: "exclusive" }));
  for (const path of ["", "a\0b", "a".repeat(4096)]) {
    await refused("value-not-allowed", () => openInode(store, { path }));
  }
});

Deno.test("InodeStore.release() writes back and closes with the last holder", async () => {
  const memory = new MemoryStore();
  const { store, root } = memory;
  const node = root.put("f", pattern(PAGE));
  const inode = await openInode(store, { holder: "a" });
  await openInode(store, { holder: "b" });
  await readOf(inode);
  await inode.write(pattern(10, 3), 0n);
  const { id } = inode.identity;
  await store.release(id, "a");
  await refused("holder-not-found", () => store.release(id, "a"));
  assertEquals(inode.stats().dirtyBytes, 10n);
  await store.release(id, "b");
  assertEquals(node.bytes.subarray(0, 10), pattern(10, 3));
  await refused("inode-not-found", () => store.release(id, "b"));
  await refused("inode-not-found", () => readOf(inode, 0, 1));
  assertEquals(store.stats().residentBytes, 0n);
  assertEquals(memory.caches.files.size, 0);
  assertEquals(memory.journals.stored.size, 0);
});

Deno.test("InodeStore.release() keeps inode and holder when the write-back fails", async () => {
  const { store, root } = new MemoryStore();
  const node = root.put("f", pattern(PAGE));
  const inode = await openInode(store);
  await readOf(inode);
  await inode.write(pattern(10, 3), 0n);
  node.failing.set("write", "ENOSPC");
  await refused("backing-full", () => store.release(inode.identity.id, "test"));
  assertEquals(await readOf(inode, 0, 10), pattern(10, 3));
  assertEquals([...inode.holders], ["test"]);
  node.failing.clear();
  await store.release(inode.identity.id, "test");
  assertEquals(node.bytes.subarray(0, 10), pattern(10, 3));
});

Deno.test("InodeStore.release() waits for running calls, and an open meanwhile gets a new inode", async () => {
  const { store, root } = new MemoryStore();
  const node = root.put("f", pattern(PAGE));
  const inode = await openInode(store);
  const release = node.hold();
  const read = readOf(inode, 0, 10);
  const released = store.release(inode.identity.id, "test");
  const opened = openInode(store, { holder: "b" });
  release();
  assertEquals(await read, pattern(10));
  await released;
  const next = await opened;
  assert(next !== inode);
  assertEquals(await readOf(next, 0, 10), pattern(10));
});

Deno.test("InodeStore.readAll() gives the whole content, within a limit", async () => {
  const { store, root } = new MemoryStore();
  root.put("f", pattern(100_000));
  const { id } = (await openInode(store)).identity;
  assertEquals(await store.readAll(id), pattern(100_000));
  await refused("body-too-large", () => store.readAll(id, 99_999));
  await refused("inode-not-found", () => store.readAll("none"));
});

Deno.test("InodeStore.stats() counts on when inodes are closed", async () => {
  const { store } = new MemoryStore();
  const inode = await openInode(store);
  await inode.write(pattern(10), 0n);
  await readOf(inode);
  await readOf(inode);
  await store.release(inode.identity.id, "test");
  const { hits, misses, inodes, dirtyBytes } = store.stats();
  assertEquals({ hits, misses, inodes, dirtyBytes }, {
    hits: 1,
    misses: 1,
    inodes: 0,
    dirtyBytes: 0n,
  });
});

Deno.test("InodeStore.close() writes back what it can and names the rest, which the next start restores", async () => {
  const memory = new MemoryStore();
  const bad = memory.root.put("bad", new Uint8Array(PAGE));
  const good = memory.root.put("good", new Uint8Array(PAGE));
  for (const path of ["bad", "good"]) {
    const inode = await openInode(memory.store, { path });
    await readOf(inode);
    await inode.write(pattern(10), 0n);
  }
  bad.failing.set("write", "EIO");
  const unsaved = await memory.store.close();
  assertEquals(unsaved.map(({ inode }) => inode.identity.path), ["bad"]);
  assertEquals(good.bytes.subarray(0, 10), pattern(10));
  bad.failing.clear();
  const recovered = await memory.restart().recover();
  assertEquals(recovered.map(({ path, outcome }) => ({ path, outcome })), [
    { path: "bad", outcome: "restored" },
  ]);
  assertEquals(bad.bytes.subarray(0, 10), pattern(10));
});
