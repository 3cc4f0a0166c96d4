import { assert, assertEquals } from "@std/assert";
import { Fault } from "../../src/core/faults.ts";
import type { CachingInode } from "../../src/inodes/content/caching_inode.ts";
import { HostStore, openInode, PAGE, pattern, readOf } from "../support/inode_store.ts";

const SIZE = 100 * PAGE;

/** Runs a call that may fail with a fault, and only with one of these. */
async function allowed(call: () => Promise<unknown>): Promise<unknown> {
  try {
    return await call();
  } catch (error) {
    assert(error instanceof Fault, String(error));
    assert(["backing-changed", "backing-failed"].includes(error.code), error.message);
    return error;
  }
}

const paths: Record<string, (inode: CachingInode) => Promise<unknown>> = {
  "read()": (inode) => readOf(inode, 0, SIZE),
  "read() of a part behind the end": (inode) => readOf(inode, 90 * PAGE, PAGE),
  "readNonblocking()": (inode) => Promise.resolve(inode.readNonblocking(new Uint8Array(SIZE), 0n)),
  "write()": (inode) => inode.write(pattern(2 * PAGE), BigInt(50 * PAGE)),
  "sync()": (inode) => inode.sync(),
  "evict()": (inode) => inode.evict(),
  "replace()": (inode) => inode.replace(pattern(10)),
};

for (const cache of ["host", "own"] as const) {
  for (const isDirty of cache === "own" ? [false, true] : [false]) {
    for (const [name, call] of Object.entries(paths)) {
      const state = isDirty ? "with dirty bytes" : "without dirty bytes";
      Deno.test(`CachingInode.${name} in mode ${cache} ${state} outlives a truncate from outside`, async () => {
        await using host = new HostStore();
        await Deno.writeFile(host.path("f"), pattern(SIZE));
        const inode = await openInode(host.store, { cache });
        await readOf(inode, 0, 30 * PAGE);
        if (isDirty) await inode.write(pattern(PAGE, 5), 0n);
        await Deno.truncate(host.path("f"), 10 * PAGE + 1);
        const result = await allowed(() => call(inode));
        if (!isDirty && name === "read()" && cache === "host") {
          assertEquals(result, pattern(SIZE).subarray(0, 10 * PAGE + 1));
        }
        await allowed(() => readOf(inode, 0, SIZE));
        // The conflict ends when the content is replaced, so that the inode can be let go.
        await inode.replace(pattern(5));
        await inode.sync();
        assertEquals(await Deno.readFile(host.path("f")), pattern(5));
      });
    }
  }

  Deno.test(`CachingInode in mode ${cache} reads on while others truncate and grow the file`, async () => {
    await using host = new HostStore({ cacheBytes: 64 * PAGE });
    const content = pattern(SIZE);
    await Deno.writeFile(host.path("f"), content);
    const inode = await openInode(host.store, { cache });
    const disturb = async (): Promise<void> => {
      for (let round = 0; round < 60; round++) {
        await Deno.truncate(host.path("f"), (round * 7 % 100) * PAGE);
        await Deno.writeFile(host.path("f"), content);
      }
    };
    const read = async (): Promise<void> => {
      for (let round = 0; round < 60; round++) {
        const at = round * 13 % 100;
        await allowed(() => readOf(inode, at * PAGE, 20 * PAGE));
        if (round % 10 === 0) await allowed(() => inode.evict());
      }
    };
    await Promise.all([disturb(), read(), read()]);
    await inode.evict();
    await openInode(host.store, { cache });
    assertEquals(await readOf(inode), content);
  });
}
