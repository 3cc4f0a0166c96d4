import { assert, assertEquals, assertRejects } from "@std/assert";
import { Fault, type FaultCode } from "../../src/core/faults.ts";
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

for (const cache of ["own", "host"] as const) {
  Deno.test(`CachingInode.setAttributes() in mode ${cache} sets them in the file too`, async () => {
    await using host = new HostStore();
    await Deno.writeFile(host.path("f"), pattern(3 * PAGE));
    const inode = await openInode(host.store, { cache });
    await readOf(inode);
    await inode.setAttributes({
      sizeBytes: BigInt(PAGE + 7),
      permissions: 0o4711,
      accessTimeNs: 1_000_000_001n,
      modificationTimeNs: -5n,
    });
    const attributes = inode.attributes();
    assertEquals(attributes.sizeBytes, BigInt(PAGE + 7));
    assertEquals(attributes.permissions, 0o4711);
    assertEquals(attributes.accessTimeNs, 1_000_000_001n);
    assertEquals(attributes.modificationTimeNs, -5n);
    assertEquals(attributes.dirty, []);
    const stat = await Deno.stat(host.path("f"));
    assertEquals([stat.size, (stat.mode ?? 0) & 0o7777], [PAGE + 7, 0o4711]);
    assertEquals(stat.atime?.getTime(), 1000);
  });

  Deno.test(`CachingInode.setAttributes() in mode ${cache} fills a growth with zeros, also inside a page (case 2)`, async () => {
    await using host = new HostStore();
    await Deno.writeFile(host.path("f"), pattern(3 * PAGE));
    const inode = await openInode(host.store, { cache });
    await readOf(inode);
    await inode.write(pattern(3 * PAGE, 8), 0n);
    await inode.setAttributes({ sizeBytes: 100n });
    await inode.setAttributes({ sizeBytes: BigInt(2 * PAGE) });
    const wanted = new Uint8Array(2 * PAGE);
    wanted.set(pattern(100, 8));
    assertEquals(await readOf(inode), wanted);
    await inode.sync();
    assertEquals(await Deno.readFile(host.path("f")), wanted);
  });

  Deno.test(`CachingInode.allocate() in mode ${cache} reserves, also holes below the size, and grows`, async () => {
    await using host = new HostStore();
    const inode = await openInode(host.store, { cache });
    await inode.setAttributes({ sizeBytes: BigInt(64 * PAGE) });
    const before = (await Deno.stat(host.path("f"))).blocks ?? 0;
    await inode.allocate(0n, BigInt(32 * PAGE));
    assert(((await Deno.stat(host.path("f"))).blocks ?? 0) >= before + 32 * PAGE / 512);
    assertEquals(inode.size, BigInt(64 * PAGE));
    await inode.allocate(BigInt(64 * PAGE), 10n);
    assertEquals(inode.size, BigInt(64 * PAGE + 10));
    await refused("value-not-allowed", () => inode.allocate(0n, 0n));
    await refused("value-not-allowed", () => inode.allocate(1n << 62n, 1n << 62n));
    await refused("value-not-allowed", () => inode.allocate((1n << 64n) - 1n, 2n));
    assertEquals(inode.size, BigInt(64 * PAGE + 10));
  });

  Deno.test(`CachingInode.link() and unlink() in mode ${cache} count names, and never below zero (case 37)`, async () => {
    await using host = new HostStore();
    await Deno.writeFile(host.path("f"), pattern(10));
    await Deno.mkdir(host.path("dir"));
    const inode = await openInode(host.store, { cache });
    await inode.link("dir/g");
    assertEquals(inode.attributes().links, 2);
    assertEquals(await Deno.readFile(host.path("dir/g")), pattern(10));
    await refused("file-exists", () => inode.link("dir/g"));
    await refused("file-not-found", () => inode.link("none/g"));
    for (const path of ["../g", "/tmp/g", "dir/../../g"]) {
      await refused("outside-root", () => inode.link(path));
      await refused("outside-root", () => inode.unlink(path));
    }
    for (const path of ["", "a\0b"]) await refused("value-not-allowed", () => inode.link(path));
    await Deno.writeFile(host.path("other"), pattern(1));
    await refused("file-not-found", () => inode.unlink("other"));
    await inode.unlink("f");
    await inode.unlink("dir/g");
    assertEquals(inode.attributes().links, 0);
    await refused("file-not-found", () => inode.unlink("f"));
    assertEquals(inode.attributes().links, 0);
    assertEquals(await readOf(inode), pattern(10));
    assert((await Deno.stat(host.path("other"))).isFile);
  });

  Deno.test(`CachingInode.reopen() in mode ${cache} stands for the file that its path leads to by now`, async () => {
    await using host = new HostStore();
    await Deno.writeFile(host.path("f"), pattern(2 * PAGE));
    const inode = await openInode(host.store, { cache });
    await readOf(inode);
    await Deno.writeFile(host.path("new"), pattern(PAGE + 9, 5));
    await Deno.rename(host.path("new"), host.path("f"));
    assertEquals(await readOf(inode), pattern(2 * PAGE));
    await host.store.reopen(inode.identity.id);
    assertEquals(await readOf(inode), pattern(PAGE + 9, 5));
    assert(await openInode(host.store, { cache, holder: "b" }) === inode);
    await inode.write(pattern(3), 0n);
    await inode.sync();
    assertEquals((await Deno.readFile(host.path("f"))).subarray(0, 3), pattern(3));
    await Deno.remove(host.path("f"));
    await refused("file-not-found", () => host.store.reopen(inode.identity.id));
    await Deno.mkdir(host.path("f"));
    await refused("not-a-file", () => host.store.reopen(inode.identity.id));
    assertEquals((await readOf(inode)).byteLength, PAGE + 9);
  });
}

Deno.test("CachingInode.reopen() refuses another file below dirty bytes; invalidate with discard is the way out", async () => {
  await using host = new HostStore();
  await Deno.writeFile(host.path("f"), pattern(PAGE));
  const inode = await openInode(host.store);
  await readOf(inode);
  await inode.write(pattern(5, 3), 0n);
  await Deno.writeFile(host.path("new"), pattern(7, 9));
  await Deno.rename(host.path("new"), host.path("f"));
  await refused("backing-changed", () => host.store.reopen(inode.identity.id));
  await refused("backing-changed", () => inode.sync());
  await refused("backing-changed", () => inode.invalidate());
  await inode.invalidate(true);
  assertEquals(inode.stats().dirtyBytes, 0n);
  assertEquals(inode.failure, undefined);
  await host.store.reopen(inode.identity.id);
  assertEquals(await readOf(inode), pattern(7, 9));
  assert(
    host.events.facts.some(({ kind, data }) =>
      kind === "inode.discarded" && data?.["dirtyBytes"] === 5n
    ),
  );
  await host.store.release(inode.identity.id, "test");
});

Deno.test("InodeStore.reopen() refuses a file that is open as another inode", async () => {
  await using host = new HostStore();
  await Deno.writeFile(host.path("f"), pattern(1));
  await Deno.writeFile(host.path("g"), pattern(2));
  const f = await openInode(host.store);
  const g = await openInode(host.store, { path: "g" });
  await g.write(pattern(1, 5), 0n);
  await Deno.rename(host.path("g"), host.path("f"));
  await refused("inode-mode-differs", () => host.store.reopen(f.identity.id));
  assertEquals(await readOf(f), pattern(1));
  // Both are what they were: the one is still met by its file, and written back at the end.
  assertEquals(await openInode(host.store), g);
  await host.store.release(f.identity.id, "test");
  await host.store.close();
  assertEquals((await Deno.readFile(host.path("f")))[0], pattern(1, 5)[0]);
});

Deno.test("CachingInode.touch() changes cached times only, until a sync brings them to the file", async () => {
  const memory = new MemoryStore();
  const node = memory.root.put("f", pattern(10));
  const inode = await openInode(memory.store);
  const now = memory.clock.wallNs();
  inode.touch(["modificationTime", "statusChangeTime"]);
  assertEquals(inode.attributes().modificationTimeNs, now);
  assertEquals(inode.attributes().dirty, ["modificationTime", "statusChangeTime"]);
  assertEquals(node.modificationTimeNs, 2n);
  node.failing.set("change", "EIO");
  await refused("backing-failed", () => inode.sync());
  assertEquals(inode.attributes().dirty, ["modificationTime", "statusChangeTime"]);
  node.failing.clear();
  await inode.sync();
  assertEquals(node.modificationTimeNs, now);
  assertEquals(inode.attributes().dirty, []);
  inode.touch([]);
  assertEquals(inode.attributes().dirty, []);
});

Deno.test("CachingInode keeps a modification time that was set through the write-back of older dirty bytes", async () => {
  const memory = new MemoryStore();
  const node = memory.root.put("f", pattern(PAGE));
  const inode = await openInode(memory.store);
  await readOf(inode);
  await inode.write(pattern(5, 3), 0n);
  await inode.setAttributes({ modificationTimeNs: 12_345n });
  await inode.sync();
  assertEquals(node.modificationTimeNs, 12_345n);
  assertEquals(node.bytes.subarray(0, 5), pattern(5, 3));
});

Deno.test("CachingInode.read() touches the access time, not at the end and not with noatime (cases 11 and 12)", async () => {
  for (const noatime of [false, true]) {
    const memory = new MemoryStore();
    memory.root.put("f", pattern(10));
    const inode = await openInode(memory.store, { noatime });
    assertEquals(await inode.read(new Uint8Array(5), 10n), 0);
    assertEquals(await inode.read(new Uint8Array(0), 3n), 0);
    assertEquals(await inode.read(new Uint8Array(0), 11n), 0);
    await inode.write(new Uint8Array(0), 3n);
    assertEquals(inode.attributes().dirty, []);
    await readOf(inode);
    assertEquals(inode.attributes().dirty, noatime ? [] : ["accessTime"]);
  }
});

Deno.test("CachingInode.revalidate() says whether anything changed, and refuses a change below dirty bytes", async () => {
  for (const cache of ["own", "host"] as const) {
    const memory = new MemoryStore();
    const node = memory.root.put("f", pattern(PAGE));
    const inode = await openInode(memory.store, { cache });
    assertEquals(await inode.revalidate(), false);
    await inode.write(pattern(3), BigInt(5 * PAGE));
    assertEquals(await inode.revalidate(), false);
    node.setContent(pattern(7));
    assertEquals(await inode.revalidate(), true);
    assertEquals(await inode.revalidate(), false);
    assertEquals(await readOf(inode), pattern(7));
    if (cache === "host") continue;
    await inode.write(pattern(1), 0n);
    node.setContent(pattern(9));
    await refused("backing-changed", () => inode.revalidate());
  }
});

Deno.test("CachingInode.setAttributes() that the backing file refuses changes nothing (case 26)", async () => {
  for (const cache of ["own", "host"] as const) {
    const memory = new MemoryStore();
    const node = memory.root.put("f", pattern(3 * PAGE));
    const inode = await openInode(memory.store, { cache });
    await readOf(inode);
    node.failing.set("truncate", "EIO").set("change", "EPERM");
    await refused("backing-failed", () => inode.setAttributes({ sizeBytes: 5n }));
    await refused("file-not-permitted", () => inode.setAttributes({ uid: 7 }));
    assertEquals([inode.size, inode.attributes().uid], [BigInt(3 * PAGE), 0]);
    assertEquals(await readOf(inode), pattern(3 * PAGE));
    await refused("value-not-allowed", () => inode.setAttributes({ sizeBytes: 1n << 63n }));
  }
});

Deno.test("CachingInode.write() with If-Match changes only what its caller saw", async () => {
  for (const cache of ["own", "host"] as const) {
    const memory = new MemoryStore();
    memory.root.put("f", pattern(PAGE));
    const inode = await openInode(memory.store, { cache });
    const etag = inode.etag ?? "";
    // Both saw the same version: only one may write.
    const both = await Promise.allSettled([
      inode.write(pattern(3, 1), 0n, { ifMatch: [etag] }),
      inode.replace(pattern(5, 2), { ifMatch: [etag] }),
    ]);
    assertEquals(both.map(({ status }) => status), ["fulfilled", "rejected"]);
    await refused("inode-stale", () => inode.write(pattern(3), 0n, { ifMatch: [etag] }));
    await refused("inode-stale", () => inode.setAttributes({ permissions: 1 }, { ifMatch: [] }));
    await inode.write(pattern(3), 0n, { ifMatch: ["*"] });
    await inode.write(pattern(3), 0n, { ifMatch: [etag, inode.etag ?? ""] });
  }
});
