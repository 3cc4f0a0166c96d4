import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { Fault, type FaultCode } from "../../../src/core/faults.ts";
import type { Ledger, LedgerEntry } from "../../../src/core/ports/ledger.ts";
import { MINORS_MAX } from "../../../src/core/limits.ts";
import type { Mapping, MappingKey } from "../../../src/devices/anonymous/mapping.ts";
import type { AnonymousDevices } from "../../../src/devices/anonymous/anonymous_devices.ts";
import { openAnonymous } from "../../support/devices.ts";
import { MemoryLedger } from "../../support/ledger.ts";
import { testSeed } from "../../support/random.ts";

const keyOf = (inode: number): MappingKey => ({
  device: 8n,
  secondaryDevice: "",
  inode: BigInt(inode),
});
const mappingOf = (inode: number, virtualInode: bigint): Mapping => ({
  key: keyOf(inode),
  virtualInode,
});

async function refused(code: FaultCode, action: () => Promise<unknown>): Promise<void> {
  assertEquals((await assertRejects(action, Fault)).code, code);
}

async function inodesOf(
  registry: AnonymousDevices,
  id: string,
  ...inodes: number[]
): Promise<number[]> {
  const items = await registry.map(id, inodes.map(keyOf));
  return items.map((item) => Number(item.mapping.virtualInode));
}

/** A ledger whose commits wait until the test lets them through. */
class HeldLedger implements Ledger {
  readonly inner = new MemoryLedger();
  #waiting: (() => void)[] = [];

  load(kind: "device" | "mapping"): ReturnType<Ledger["load"]> {
    return this.inner.load(kind);
  }

  async commit(entries: readonly LedgerEntry[]): Promise<void> {
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
    await this.inner.commit(entries);
  }

  close(): Promise<void> {
    return this.inner.close();
  }

  async release(): Promise<void> {
    // Changes that wait for their turn must reach the ledger first.
    for (let i = 0; i < 20; i++) await Promise.resolve();
    for (const resolve of this.#waiting.splice(0)) resolve();
    for (let i = 0; i < 20; i++) await Promise.resolve();
  }
}

Deno.test("AnonymousDevices.create() numbers devices of both kinds from minor 1", async () => {
  const registry = await openAnonymous(new MemoryLedger());
  const simple = await registry.create("simple", "a");
  const multi = await registry.create("multi");
  assertEquals([simple.identity.minor, multi.identity.minor], [1n, 2n]);
  assertEquals(registry.get("anon-1"), simple);
  assertEquals(registry.count, 2);
  await refused("device-not-found", () => Promise.try(() => registry.get("anon-3")));
});

Deno.test("AnonymousDevices.create() ends when the minors are used up", async () => {
  const ledger = new MemoryLedger();
  const registry = await openAnonymous(ledger, { minorsMax: 2, mappingsMax: 1 });
  await registry.create("simple");
  await registry.create("simple");
  await refused("minors-exhausted", () => registry.create("simple"));
  assertEquals((await ledger.load("device")).length, 2);
  assert(MINORS_MAX < 1 << 20);
});

Deno.test("AnonymousDevices.nextInode() hands no number out twice to callers at the same time", async () => {
  const registry = await openAnonymous(new MemoryLedger());
  await registry.create("simple");
  await registry.create("simple");
  const taken = await Promise.all(
    Array.from({ length: 50 }, (_, i) => registry.nextInode(`anon-${i % 2 + 1}`)),
  );
  const expected = Array.from({ length: 50 }, (_, i) => BigInt(Math.floor(i / 2) + 1));
  assertEquals(taken, expected);
});

Deno.test("AnonymousDevices.map() gives callers at the same time one number for one key", async () => {
  const registry = await openAnonymous(new MemoryLedger());
  await registry.create("multi");
  const [first, second, third] = await Promise.all([
    inodesOf(registry, "anon-1", 1, 2, 3),
    inodesOf(registry, "anon-1", 3, 4, 1),
    inodesOf(registry, "anon-1", 5),
  ]);
  assertEquals([first, second, third], [[1, 2, 3], [3, 4, 1], [5]]);
});

Deno.test("AnonymousDevices acknowledges nothing before the ledger has kept it", async () => {
  const ledger = new HeldLedger();
  const registry = await openAnonymous(ledger);
  let done = 0;
  const create = registry.create("multi").then(() => done++);
  await Promise.resolve();
  assertEquals([done, registry.count], [0, 0]);
  await ledger.release();
  await create;
  const first = inodesOf(registry, "anon-1", 1).then(() => done++);
  const same = inodesOf(registry, "anon-1", 1).then(() => done++);
  await ledger.release();
  assertEquals(done, 1 + 1 + 1, "the first commit also answers the one that asks for the same");
  await Promise.all([first, same]);
  const known = inodesOf(registry, "anon-1", 1).then(() => done++);
  await known;
  assertEquals(done, 4, "a known key waits for no commit");
  const freed = registry.free("anon-1", 1n).then(() => done++);
  for (let i = 0; i < 20; i++) await Promise.resolve();
  assertEquals([done, registry.lookUp("anon-1", 1n).virtualInode], [4, 1n]);
  await ledger.release();
  await freed;
  await refused("mapping-not-found", () => Promise.try(() => registry.lookUp("anon-1", 1n)));
});

Deno.test("AnonymousDevices changes nothing when the ledger fails, and goes on when it is back", async () => {
  const ledger = new MemoryLedger();
  const registry = await openAnonymous(ledger);
  await registry.create("simple");
  await registry.create("multi");
  await inodesOf(registry, "anon-2", 1);
  ledger.failing = new Error("disk is full");
  await refused("state-unavailable", () => registry.create("simple"));
  await refused("state-unavailable", () => registry.nextInode("anon-1"));
  await refused("state-unavailable", () => inodesOf(registry, "anon-2", 1, 2));
  await refused("state-unavailable", () => registry.load("anon-2", mappingOf(3, 9n)));
  await refused("state-unavailable", () => registry.free("anon-2", 1n));
  assertEquals([registry.count, registry.mappingCount], [2, 1]);
  assertEquals(registry.mappings("anon-2").items, [mappingOf(1, 1n)]);
  ledger.failing = undefined;
  assertEquals((await registry.create("simple")).identity.minor, 3n);
  assertEquals(await registry.nextInode("anon-1"), 1n);
  assertEquals(await inodesOf(registry, "anon-2", 1, 2), [1, 2]);
});

Deno.test("AnonymousDevices.map() refuses what passes the bound, and frees make room", async () => {
  const registry = await openAnonymous(new MemoryLedger(), {
    minorsMax: 9,
    mappingsMax: 3,
  });
  await registry.create("multi");
  await registry.create("multi");
  await inodesOf(registry, "anon-1", 1, 2);
  await refused("mappings-exhausted", () => inodesOf(registry, "anon-2", 1, 2));
  const both = await Promise.allSettled([
    inodesOf(registry, "anon-1", 1, 2, 3),
    inodesOf(registry, "anon-2", 1),
  ]);
  assertEquals(both.map((one) => one.status), ["fulfilled", "rejected"]);
  await refused("mappings-exhausted", () => registry.load("anon-2", mappingOf(1, 1n)));
  await registry.free("anon-1", 2n);
  assertEquals(await inodesOf(registry, "anon-2", 1), [1]);
  assertEquals(registry.mappingCount, 3);
});

Deno.test("AnonymousDevices counts a number that was loaded and freed until it is passed", async () => {
  const ledger = new MemoryLedger();
  const registry = await openAnonymous(ledger);
  await registry.create("multi");
  assertEquals(await registry.load("anon-1", mappingOf(1, 2n)), true);
  assertEquals(await registry.load("anon-1", mappingOf(1, 2n)), false);
  await registry.free("anon-1", 2n);
  assertEquals([registry.mappingCount, (await ledger.load("mapping")).length], [1, 1]);
  const again = await openAnonymous(ledger);
  assertEquals(again.mappings("anon-1").items, []);
  assertEquals(await inodesOf(again, "anon-1", 5, 6), [1, 3]);
  assertEquals([again.mappingCount, (await ledger.load("mapping")).length], [2, 2]);
});

Deno.test("AnonymousDevices counts and keeps a number that was loaded, freed and loaded again", async () => {
  const ledger = new MemoryLedger();
  const registry = await openAnonymous(ledger);
  await registry.create("multi");
  await registry.load("anon-1", mappingOf(1, 2n));
  await registry.free("anon-1", 2n);
  await registry.load("anon-1", mappingOf(9, 2n));
  assertEquals(registry.mappingCount, 1);
  assertEquals(await inodesOf(registry, "anon-1", 5, 6), [1, 3]);
  assertEquals([registry.mappingCount, (await ledger.load("mapping")).length], [3, 3]);
  const again = await openAnonymous(ledger);
  assertEquals(again.lookUp("anon-1", 2n).key, keyOf(9));
});

Deno.test("AnonymousDevices refuses what a device of the other kind does", async () => {
  const registry = await openAnonymous(new MemoryLedger());
  await registry.create("simple");
  await registry.create("multi");
  await refused("wrong-device-kind", () => registry.nextInode("anon-2"));
  await refused("wrong-device-kind", () => registry.map("anon-1", []));
  await refused("wrong-device-kind", () => registry.load("anon-1", mappingOf(1, 1n)));
  await refused("wrong-device-kind", () => registry.free("anon-1", 1n));
  for (const call of ["lookUp", "mappings"] as const) {
    await refused("wrong-device-kind", () => Promise.try(() => registry[call]("anon-1", 1n)));
  }
});

Deno.test("AnonymousDevices.mappings() goes through all pages", async () => {
  const registry = await openAnonymous(new MemoryLedger());
  await registry.create("multi");
  await inodesOf(registry, "anon-1", 1, 2, 3, 4);
  const first = registry.mappings("anon-1", 0n, 2);
  assertEquals([first.items.length, first.next], [2, 2n]);
  const second = registry.mappings("anon-1", first.next, 2);
  assertEquals([second.items.map((one) => one.virtualInode), second.next], [[3n, 4n], undefined]);
});

Deno.test("AnonymousDevices.open() refuses a ledger that cannot be read or contradicts itself", async () => {
  const orphaned = new MemoryLedger();
  await orphaned.commit([{
    kind: "mapping",
    id: "anon-1/1",
    body: { device: "1", secondaryDevice: "", inode: "1" },
  }]);
  await refused("state-unavailable", () => openAnonymous(orphaned));
  const broken = new MemoryLedger();
  broken.load = () => Promise.reject(new Error("no disk"));
  await refused("state-unavailable", () => openAnonymous(broken));
});

type Act =
  | { readonly do: "map"; readonly keys: readonly number[] }
  | { readonly do: "load"; readonly key: number; readonly inode: bigint }
  | { readonly do: "free"; readonly inode: bigint }
  | { readonly do: "next" | "fail" | "reopen" };

const inode = fc.bigInt({ min: 1n, max: 12n });
const key = fc.nat({ max: 9 });
const act: fc.Arbitrary<Act> = fc.oneof(
  fc.record({ do: fc.constant("map" as const), keys: fc.array(key, { maxLength: 4 }) }),
  fc.record({ do: fc.constant("load" as const), key, inode }),
  fc.record({ do: fc.constant("free" as const), inode }),
  fc.record({ do: fc.constantFrom("next" as const, "fail" as const, "reopen" as const) }),
);

async function perform(registry: AnonymousDevices, one: Act): Promise<string> {
  try {
    if (one.do === "map") return String(await inodesOf(registry, "anon-2", ...one.keys));
    if (one.do === "load") {
      return String(await registry.load("anon-2", mappingOf(one.key, one.inode)));
    }
    if (one.do === "free") return String(await registry.free("anon-2", one.inode));
    return String(await registry.nextInode("anon-1"));
  } catch (error) {
    if (error instanceof Fault) return error.code;
    throw error;
  }
}

async function twoDevices(ledger: Ledger): Promise<AnonymousDevices> {
  const registry = await openAnonymous(ledger);
  await registry.create("simple");
  await registry.create("multi", "m");
  return registry;
}

Deno.test("AnonymousDevices that is opened again and again answers as one that never was", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 30 }), async (acts) => {
      const ledger = new MemoryLedger();
      let registry = await twoDevices(ledger);
      const steady = await twoDevices(new MemoryLedger());
      for (const one of acts) {
        if (one.do === "reopen") {
          registry = await openAnonymous(ledger);
        } else if (one.do === "fail") {
          ledger.failing = new Error("failing");
          await perform(registry, { do: "map", keys: [0, 3, 6] });
          await perform(registry, { do: "next" });
          ledger.failing = undefined;
        } else {
          assertEquals(await perform(registry, one), await perform(steady, one));
        }
        assertEquals(registry.mappings("anon-2"), steady.mappings("anon-2"));
        assertEquals(registry.mappingCount, steady.mappingCount);
      }
      const last = await openAnonymous(ledger);
      assertEquals(last.get("anon-2").identity.name, "m");
      assertEquals((await last.create("simple")).identity.minor, 3n);
    }),
    { seed: testSeed() | 0, numRuns: 200 },
  );
});
