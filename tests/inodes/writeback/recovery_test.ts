import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { JOURNAL_RECORDS_MAX } from "../../../src/core/limits.ts";
import type { JournalRecord } from "../../../src/core/ports/journal.ts";
import { replay } from "../../../src/inodes/writeback/recovery.ts";
import { SystemError } from "../../../src/core/system_error.ts";
import { KILLED } from "../../support/crash_point.ts";
import { CollectedEvents } from "../../support/events.ts";
import {
  HostStore,
  MemoryStore,
  openInode,
  PAGE,
  pattern,
  readOf,
} from "../../support/inode_store.ts";
import type { MemoryNode } from "../../support/memory_files.ts";
import { testSeed } from "../../support/random.ts";

/** A store whose process dies with ten dirty bytes at offset 100. */
async function died() {
  const memory = new MemoryStore();
  const node = memory.root.put("f", new Uint8Array(2 * PAGE));
  const inode = await openInode(memory.store);
  await readOf(inode);
  await inode.write(pattern(10), 100n);
  return { memory, node, inode };
}

async function outcomes(memory: MemoryStore, bootId?: string): Promise<string[]> {
  const recovered = await memory.restart(bootId).recover();
  return recovered.map(({ path, dirtyBytes, outcome }) => `${path} ${dirtyBytes} ${outcome}`);
}

/** What a process finds that starts on the files of one that does not know of it. */
async function recoveredBy(host: HostStore) {
  const events = new CollectedEvents();
  const left = await host.again({ events }).recover();
  return {
    kinds: events.facts.map(({ kind }) => kind),
    outcomes: left.map(({ path, dirtyBytes, outcome, reason }) =>
      [path, dirtyBytes, outcome, ...reason === undefined ? [] : [reason]].join(" ")
    ),
  };
}

Deno.test("recover() writes acknowledged dirty bytes back, syncs them and removes what was left", async () => {
  const { memory, node } = await died();
  assertEquals(await outcomes(memory), ["f 10 restored"]);
  assertEquals(node.bytes.subarray(100, 110), pattern(10));
  assertEquals(node.syncs, 1);
  assertEquals(memory.caches.files.size, 0);
  assertEquals(memory.journals.stored.size, 0);
  assertEquals(await outcomes(memory), []);
});

Deno.test("recover() does not write back what was written back before", async () => {
  const { memory, node, inode } = await died();
  await inode.sync();
  node.setContent(pattern(300, 9));
  assertEquals(await outcomes(memory), []);
  assertEquals(node.bytes, pattern(300, 9));
});

Deno.test("recover() discards what another run of the host cached, and names it", async () => {
  const { memory, node } = await died();
  assertEquals(await outcomes(memory, "boot-2"), ["f 10 discarded"]);
  assertEquals(node.bytes, new Uint8Array(2 * PAGE));
  assertEquals(memory.journals.stored.size, 0);
  assertEquals(memory.caches.files.size, 0);
});

Deno.test("recover() never overwrites a change from outside, and leaves the dirty bytes in the cache", async () => {
  const { memory, node } = await died();
  node.setContent(pattern(300, 5));
  assertEquals(await outcomes(memory), ["f 10 kept"]);
  assertEquals(await outcomes(memory), ["f 10 kept"]);
  assertEquals(node.bytes, pattern(300, 5));
});

Deno.test("recover() remembers a change from outside that the dead process had seen", async () => {
  const { memory, node, inode } = await died();
  node.setContent(pattern(300, 5));
  await inode.write(pattern(5, 1), BigInt(50 * PAGE));
  assertEquals(await outcomes(memory), ["f 10 kept"]);
});

Deno.test("recover() leaves dirty bytes for the next start when their file is gone, another one, or cannot be reached", async () => {
  const cases: ((memory: MemoryStore) => () => void)[] = [
    ({ root }) => {
      const node = root.nodes.get("f");
      root.nodes.delete("f");
      return () => node && root.nodes.set("f", node);
    },
    ({ root }) => {
      const node = root.nodes.get("f");
      root.put("f", new Uint8Array(2 * PAGE));
      return () => node && root.nodes.set("f", node);
    },
    ({ root }) => {
      root.nodes.get("f")?.failing.set("write", "EIO");
      return () => root.nodes.get("f")?.failing.clear();
    },
  ];
  for (const [index, breakIt] of cases.entries()) {
    const { memory, node } = await died();
    const mend = breakIt(memory);
    assertEquals(await outcomes(memory), ["f 10 kept"], `case ${index}`);
    mend();
    assertEquals(await outcomes(memory), ["f 10 restored"], `case ${index}`);
    assertEquals(node.bytes.subarray(100, 110), pattern(10));
  }
});

/** Kills a recovery at its n-th step, or fails the step; `undefined` when it had fewer steps. */
async function brokenAt(
  memory: MemoryStore,
  node: MemoryNode,
  step: number,
  how: "killed" | "full",
): Promise<boolean> {
  let left = step;
  let isOver = false;
  const at = () => {
    if (how === "full" ? left-- === 0 : left-- <= 0) {
      isOver = true;
      throw how === "full" ? new SystemError("ENOSPC", "write", "memory") : KILLED;
    }
  };
  node.before = at;
  memory.journals.before = at;
  await memory.restart().recover().catch((error) => {
    if (error !== KILLED) throw error;
  });
  node.before = () => {};
  memory.journals.before = () => {};
  return isOver;
}

for (const how of ["killed", "full"] as const) {
  Deno.test(`recover() that is ${how} at any step, and again at any step, is done again whole`, async () => {
    let isBroken = true;
    let pairs = 0;
    for (let first = 0; isBroken; first++) {
      for (let second = 0;; second++) {
        const { memory, node, inode } = await died();
        node.chunkBytes = 7;
        await inode.write(pattern(10, 3), BigInt(PAGE));
        isBroken = await brokenAt(memory, node, first, how);
        const isBrokenAgain = await brokenAt(memory, node, second, how);
        const found = await outcomes(memory);
        const where = `${how} at step ${first}, then at step ${second}`;
        assert(found.every((outcome) => outcome === "f 20 restored"), `${where}: ${found}`);
        assertEquals(node.bytes.subarray(100, 110), pattern(10), where);
        assertEquals(node.bytes.subarray(PAGE, PAGE + 10), pattern(10, 3), where);
        assertEquals([...memory.journals.stored.keys()], [], where);
        if (!isBrokenAgain) break;
        pairs++;
      }
    }
    assert(pairs > 50, `only ${pairs} pairs of steps were broken`);
  });
}

Deno.test("recover() that failed half-way still tells a change from outside from its own bytes", async () => {
  const { memory, node } = await died();
  node.failing.set("sync", "EIO");
  assertEquals(await outcomes(memory), ["f 10 kept"]);
  node.failing.clear();
  node.setContentUnnoticed(pattern(2 * PAGE, 5));
  assertEquals(await outcomes(memory), ["f 10 kept"]);
  assertEquals(node.bytes, pattern(2 * PAGE, 5));
});

Deno.test("recover() writes back after a death in the middle of a write-back", async () => {
  const { memory, node, inode } = await died();
  await inode.write(pattern(10, 3), BigInt(PAGE));
  const { promise, resolve } = Promise.withResolvers<void>();
  let writes = 0;
  // The process "dies" when one of two ranges is in the file, whose size and time differ by that.
  node.before = (call) => call === "write" && ++writes === 2 ? promise : undefined;
  const sync = inode.sync();
  while (writes < 2) await Promise.resolve();
  node.before = () => {};
  assertEquals(await outcomes(memory), ["f 20 restored"]);
  assertEquals(node.bytes.subarray(100, 110), pattern(10));
  assertEquals(node.bytes.subarray(PAGE, PAGE + 10), pattern(10, 3));
  resolve();
  await sync.catch(() => {});
});

Deno.test("recover() finds the page of a clean record that was never kept still in the cache", async () => {
  const { memory, node, inode } = await died();
  node.before = (call) => {
    if (call === "write") memory.journals.isFull = true;
  };
  await inode.sync();
  await inode.evict();
  node.before = () => {};
  memory.journals.isFull = false;
  assertEquals(await outcomes(memory), ["f 10 restored"]);
  assertEquals(node.bytes.subarray(100, 110), pattern(10));
});

Deno.test("recover() after a death in replace() brings no dirty bytes back behind the new end", async () => {
  const { memory, node, inode } = await died();
  await inode.write(pattern(10, 3), BigInt(PAGE));
  node.before = (call) => {
    if (call === "truncate") memory.journals.isFull = true;
  };
  await inode.replace(pattern(20, 4)).catch(() => {});
  memory.journals.isFull = false;
  await outcomes(memory);
  assertEquals(node.bytes, pattern(20, 4));
});

Deno.test("recover() writes every dirty run back, near and far, and no byte between them", async () => {
  const memory = new MemoryStore();
  const node = memory.root.put("f", new Uint8Array(700 * PAGE));
  const inode = await openInode(memory.store);
  await readOf(inode);
  const wanted = node.bytes.slice();
  for (let at = 0; at < 700 * PAGE; at += at < 100 * PAGE ? 777 : 150 * PAGE + 3) {
    await inode.write(pattern(5, at), BigInt(at));
    wanted.set(pattern(5, at), at);
  }
  await memory.restart().recover();
  assertEquals(node.bytes, wanted);
});

Deno.test("recover() has all dirty bytes of a journal that was rewritten because it grew long", async () => {
  const { memory, node, inode } = await died();
  for (let count = 0; count < JOURNAL_RECORDS_MAX + 100; count++) {
    await inode.write(pattern(1, count % 250), BigInt(count % (2 * PAGE)));
  }
  const content = await readOf(inode);
  const [left] = await memory.journals.left();
  assertEquals((left?.records.length ?? 0) < JOURNAL_RECORDS_MAX, true);
  assertEquals(await outcomes(memory), [`f ${2 * PAGE} restored`]);
  assertEquals(node.bytes, content);
});

Deno.test("recover() names a journal whose end is no whole record, and restores what is before it", async () => {
  await using host = new HostStore();
  await Deno.writeFile(host.path("f"), new Uint8Array(PAGE));
  const inode = await openInode(host.store);
  await readOf(inode);
  await inode.write(pattern(10), 100n);
  const journal = `${host.state}/inodes/${inode.identity.id}.journal`;
  await Deno.writeFile(journal, new Uint8Array(5), { append: true });
  await Deno.writeFile(`${host.state}/inodes/lost.journal`, new Uint8Array(7).fill(9));
  const { kinds, outcomes } = await recoveredBy(host);
  const { id } = inode.identity;
  const aside = (name: string): string => `${host.state}/inodes/${name}.damaged-1`;
  assertEquals(outcomes, [
    "f 0 journal-cut the last 5 bytes of its journal are no whole record",
    "f 10 restored",
    `f 0 set-aside kept as ${aside(`${id}.journal`)} and ${aside(`${id}.pages`)}`,
    "journal lost 0 journal-cut the last 7 bytes of its journal are no whole record",
    `journal lost 0 set-aside kept as ${aside("lost.journal")}`,
  ]);
  const setAside = ["inode.journal-cut", "inode.set-aside"];
  assertEquals(kinds, ["inode.journal-cut", "inode.recovered", "inode.set-aside", ...setAside]);
  assertEquals(await Deno.readFile(aside("lost.journal")), new Uint8Array(7).fill(9));
  assertEquals((await Deno.readFile(host.path("f"))).subarray(100, 110), pattern(10));
  assertEquals(await recoveredBy(host), { kinds: [], outcomes: [] });
});

Deno.test("recover() removes cache files without a journal", async () => {
  const memory = new MemoryStore();
  await memory.caches.create("orphan");
  await memory.store.recover();
  assertEquals(await memory.caches.list(), []);
});

Deno.test("replay() agrees with a naive byte array over any records", () => {
  const step = fc.tuple(
    fc.constantFrom("dirty" as const, "clean" as const),
    fc.nat(30),
    fc.nat(30),
  );
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const cells = new Array<boolean>(30).fill(false);
      const records = steps.map(([kind, a, b]): JournalRecord => {
        cells.fill(kind === "dirty", Math.min(a, b), Math.max(a, b));
        return { kind, start: BigInt(Math.min(a, b)), end: BigInt(Math.max(a, b)) };
      });
      const { dirty } = replay(records);
      assertEquals(cells.map((_, at) => dirty.at(BigInt(at)) !== undefined), cells);
    }),
    { seed: testSeed() },
  );
});
