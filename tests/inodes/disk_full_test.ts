import { assertEquals, assertRejects } from "@std/assert";
import { Fault, type FaultCode } from "../../src/core/faults.ts";
import { MIB } from "../../src/core/limits.ts";
import { HostStore, openInode, PAGE, pattern, readOf } from "../support/inode_store.ts";
import { testWhere } from "../support/skip.ts";
import { SmallDisk } from "../support/small_disk.ts";

const missing = SmallDisk.missing();

async function refused(code: FaultCode, call: () => Promise<unknown>): Promise<void> {
  assertEquals((await assertRejects(call, Fault)).code, code);
}

testWhere(
  "CachingInode.sync() on a full disk says so until there is room, and others go on",
  missing,
  async () => {
    using disk = SmallDisk.mount(MIB);
    await using host = new HostStore({}, { folder: `${disk.folder}/root` });
    // All holes: the disk has to find room for each page that is written.
    await Deno.writeFile(host.path("f"), new Uint8Array());
    await Deno.truncate(host.path("f"), 8 * PAGE);
    await Deno.writeFile(host.path("other"), pattern(PAGE));
    const inode = await openInode(host.store);
    const other = await openInode(host.store, { path: "other" });
    await readOf(inode);
    disk.fill();
    await inode.write(pattern(2 * PAGE, 3), BigInt(PAGE));
    await refused("backing-full", () => inode.sync());
    await refused("backing-full", () => inode.sync());
    assertEquals(inode.failure?.code, "backing-full");
    assertEquals(inode.stats().dirtyBytes, BigInt(2 * PAGE));
    assertEquals(await readOf(inode, PAGE, 2 * PAGE), pattern(2 * PAGE, 3));
    await other.write(pattern(10, 5), 0n);
    await other.sync();
    assertEquals((await Deno.readFile(host.path("other"))).subarray(0, 10), pattern(10, 5));
    disk.clear();
    await inode.sync();
    assertEquals(inode.failure, undefined);
    const found = await Deno.readFile(host.path("f"));
    assertEquals(found.subarray(PAGE, 3 * PAGE), pattern(2 * PAGE, 3));
  },
);

testWhere(
  "CachingInode.write() past the cache refuses what a full disk does not take",
  missing,
  async () => {
    using disk = SmallDisk.mount(MIB);
    await using host = new HostStore({}, { folder: `${disk.folder}/root` });
    for (const cache of ["host", "own"] as const) {
      const path = `${cache}-file`;
      await Deno.writeFile(host.path(path), pattern(PAGE));
      const inode = await openInode(host.store, { path, cache });
      disk.fill();
      await refused("backing-full", () => inode.write(pattern(4 * PAGE), BigInt(PAGE)));
      assertEquals(await readOf(inode, 0, PAGE), pattern(PAGE));
      assertEquals(inode.size, BigInt(PAGE));
      assertEquals((await Deno.stat(host.path(path))).size, PAGE);
      disk.clear();
      await inode.write(pattern(4 * PAGE), BigInt(PAGE));
      await inode.sync();
      assertEquals((await Deno.stat(host.path(path))).size, 5 * PAGE);
    }
  },
);

testWhere(
  "CachingInode.replace() that finds no room leaves the old content",
  missing,
  async () => {
    using disk = SmallDisk.mount(MIB);
    await using host = new HostStore({}, { folder: `${disk.folder}/root` });
    for (const cache of ["host", "own"] as const) {
      const path = `${cache}-file`;
      await Deno.writeFile(host.path(path), pattern(2 * PAGE));
      const inode = await openInode(host.store, { path, cache });
      await readOf(inode, 0, PAGE);
      disk.fill();
      await refused("backing-full", () => inode.replace(pattern(400 * PAGE, 5)));
      assertEquals(await readOf(inode), pattern(2 * PAGE));
      assertEquals(await Deno.readFile(host.path(path)), pattern(2 * PAGE));
      disk.clear();
      await inode.replace(pattern(3 * PAGE, 5));
      await inode.sync();
      assertEquals(await Deno.readFile(host.path(path)), pattern(3 * PAGE, 5));
    }
  },
);

testWhere(
  "CachingInode on a full state folder reads past the cache, and acknowledges no write that a kill would lose",
  missing,
  async () => {
    using disk = SmallDisk.mount(MIB);
    await using host = new HostStore({}, { state: `${disk.folder}/state` });
    await Deno.writeFile(host.path("f"), pattern(40 * PAGE));
    const inode = await openInode(host.store);
    await readOf(inode, 0, PAGE);
    disk.fill();
    assertEquals(await readOf(inode), pattern(40 * PAGE));
    assertEquals(inode.stats().residentBytes < BigInt(40 * PAGE), true);
    // A page that is cached takes the write; its record finds no room once its page is full.
    const failures: string[] = [];
    for (let at = 0; at < 300 && failures.length === 0; at++) {
      await inode.write(pattern(1, at), BigInt(at * 7)).catch((error) => failures.push(error.code));
    }
    assertEquals(failures, ["state-unavailable"]);
    disk.clear();
    await inode.write(pattern(1, 1), 0n);
    await inode.sync();
    assertEquals((await Deno.readFile(host.path("f")))[0], pattern(1, 1)[0]);
  },
);
