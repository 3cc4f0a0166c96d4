import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Fault, type FaultCode } from "../../../src/core/faults.ts";
import { U64_MAX } from "../../../src/core/limits.ts";
import { AnonymousIdentity } from "../../../src/devices/anonymous/identity.ts";
import type { Mapping, MappingKey } from "../../../src/devices/anonymous/mapping.ts";
import { MultiDevice } from "../../../src/devices/anonymous/multi_device.ts";
import { testSeed } from "../../support/random.ts";

const IDENTITY = new AnonymousIdentity(1n, undefined);

const keyOf = (inode: bigint, secondaryDevice = ""): MappingKey => ({
  device: 7n,
  secondaryDevice,
  inode,
});

function map(device: MultiDevice, ...keys: readonly MappingKey[]): bigint[] {
  const plan = device.plan(keys);
  device.apply(plan);
  return plan.items.map((item) => item.mapping.virtualInode);
}

function load(device: MultiDevice, key: MappingKey, virtualInode: bigint): boolean {
  if (!device.checkLoad({ key, virtualInode })) return false;
  device.applyLoad({ key, virtualInode });
  return true;
}

function free(device: MultiDevice, virtualInode: bigint): void {
  device.applyFree(device.lookUp(virtualInode));
}

function refused(code: FaultCode, action: () => unknown): void {
  assertEquals(assertThrows(action, Fault).code, code);
}

Deno.test("MultiDevice.plan() starts at 1 and gives a known key the number that it has", () => {
  const device = new MultiDevice(IDENTITY);
  assertEquals(map(device, keyOf(10n), keyOf(20n), keyOf(10n)), [1n, 2n, 1n]);
  assertEquals(map(device, keyOf(20n), keyOf(30n)), [2n, 3n]);
  assertEquals(device.last, 3n);
});

Deno.test("MultiDevice.plan() says of each key whether it is new", () => {
  const plan = new MultiDevice(IDENTITY).plan([keyOf(1n), keyOf(1n)]);
  assertEquals(plan.items.map((item) => item.created), [true, false]);
});

Deno.test("MultiDevice.plan() changes nothing until it is applied", () => {
  const device = new MultiDevice(IDENTITY);
  device.plan([keyOf(1n)]);
  assertEquals([device.size, device.last, device.known([keyOf(1n)])], [0, 0n, undefined]);
  assertEquals(map(device, keyOf(2n)), [1n]);
});

Deno.test("MultiDevice tells keys apart by each of their parts", () => {
  const device = new MultiDevice(IDENTITY);
  const inodes = map(
    device,
    { device: 1n, secondaryDevice: "", inode: 23n },
    { device: 12n, secondaryDevice: "", inode: 3n },
    { device: 1n, secondaryDevice: "2", inode: 3n },
    { device: 1n, secondaryDevice: " 2", inode: 3n },
    { device: 1n, secondaryDevice: "", inode: 3n },
  );
  assertEquals(new Set(inodes).size, 5);
});

Deno.test("MultiDevice.checkLoad() refuses 0, another number for a key and another key for a number", () => {
  const device = new MultiDevice(IDENTITY);
  refused("value-not-allowed", () => load(device, keyOf(1n), 0n));
  assertEquals(load(device, keyOf(1n), 5n), true);
  assertEquals(load(device, keyOf(1n), 5n), false);
  refused("mapping-conflict", () => load(device, keyOf(1n), 6n));
  refused("mapping-conflict", () => load(device, keyOf(2n), 5n));
  assertEquals(device.ascending(), [{ key: keyOf(1n), virtualInode: 5n }]);
});

Deno.test("MultiDevice.plan() steps over numbers that were loaded", () => {
  const device = new MultiDevice(IDENTITY);
  for (const number of [1n, 2n, 3n]) load(device, keyOf(number), number);
  assertEquals(map(device, keyOf(100n)), [4n]);
  load(device, keyOf(200n), device.last + 1n);
  assertEquals(map(device, keyOf(300n)), [6n]);
});

Deno.test("MultiDevice.plan() gives 1 when the largest u64 was loaded, and 2^64 - 1 is last", () => {
  const device = new MultiDevice(IDENTITY);
  load(device, keyOf(1n), U64_MAX);
  assertEquals(map(device, keyOf(2n)), [1n]);
  const atEnd = new MultiDevice(IDENTITY, { last: U64_MAX - 1n });
  assertEquals(map(atEnd, keyOf(1n), keyOf(2n)), [U64_MAX, 1n]);
});

Deno.test("MultiDevice.plan() refuses all keys when the numbers do not suffice", () => {
  const device = new MultiDevice(IDENTITY, {}, 2n);
  refused("inodes-exhausted", () => device.plan([keyOf(1n), keyOf(2n), keyOf(3n)]));
  assertEquals(map(device, keyOf(1n), keyOf(2n)), [1n, 2n]);
  refused("inodes-exhausted", () => device.plan([keyOf(3n)]));
  free(device, 1n);
  assertEquals(map(device, keyOf(3n)), [1n]);
});

Deno.test("MultiDevice.lookUp() finds the key, until it is freed", () => {
  const device = new MultiDevice(IDENTITY);
  const [inode = 0n] = map(device, keyOf(1n, "sdb"));
  assertEquals(device.lookUp(inode).key, keyOf(1n, "sdb"));
  free(device, inode);
  refused("mapping-not-found", () => device.lookUp(inode));
  assertNotEquals(map(device, keyOf(1n, "sdb")), [inode]);
});

interface Model {
  readonly inodeOf: Map<string, bigint>;
  readonly spent: Set<bigint>;
  last: bigint;
}

type Op =
  | { readonly do: "map"; readonly keys: readonly number[] }
  | { readonly do: "load"; readonly key: number; readonly inode: bigint }
  | { readonly do: "free"; readonly inode: bigint };

const KEYS = [0n, 1n, (1n << 63n) - 1n, 1n << 63n, U64_MAX].flatMap((number) => [
  { device: number, secondaryDevice: "", inode: U64_MAX - number },
  { device: number, secondaryDevice: "1", inode: U64_MAX - number },
]);
const key = fc.nat({ max: KEYS.length - 1 });
const inode = fc.oneof(
  fc.bigInt({ min: 0n, max: 15n }),
  fc.bigInt({ min: U64_MAX - 3n, max: U64_MAX }),
  fc.bigInt({ min: 0n, max: U64_MAX }),
);
const op: fc.Arbitrary<Op> = fc.oneof(
  fc.record({ do: fc.constant("map" as const), keys: fc.array(key, { maxLength: 4 }) }),
  fc.record({ do: fc.constant("load" as const), key, inode }),
  fc.record({ do: fc.constant("free" as const), inode }),
);

function modelMap(model: Model, name: string): bigint {
  const known = model.inodeOf.get(name);
  if (known !== undefined) return known;
  do model.last++; while (model.spent.has(model.last));
  model.inodeOf.set(name, model.last);
  model.spent.add(model.last);
  return model.last;
}

function modelLoad(model: Model, name: string, inode: bigint): FaultCode | boolean {
  if (inode === 0n) return "value-not-allowed";
  const known = model.inodeOf.get(name);
  if (known === inode) return false;
  if (known !== undefined || [...model.inodeOf.values()].includes(inode)) return "mapping-conflict";
  model.inodeOf.set(name, inode);
  model.spent.add(inode);
  return true;
}

function outcome<Result>(action: () => Result): Result | FaultCode {
  try {
    return action();
  } catch (error) {
    if (error instanceof Fault) return error.code;
    throw error;
  }
}

Deno.test("MultiDevice does what a naive model does, over the whole range of u64", () => {
  fc.assert(
    fc.property(fc.array(op, { maxLength: 40 }), (ops) => {
      const device = new MultiDevice(IDENTITY);
      const model: Model = { inodeOf: new Map(), spent: new Set(), last: 0n };
      for (const one of ops) {
        if (one.do === "map") {
          const keys = one.keys.map((index) => KEYS[index] as MappingKey);
          assertEquals(map(device, ...keys), one.keys.map((k) => modelMap(model, String(k))));
        } else if (one.do === "load") {
          const key = KEYS[one.key] as MappingKey;
          assertEquals(
            outcome(() => load(device, key, one.inode)),
            modelLoad(model, String(one.key), one.inode),
          );
        } else {
          const name = [...model.inodeOf].find(([, inode]) => inode === one.inode)?.[0];
          if (name !== undefined) model.inodeOf.delete(name);
          assertEquals(
            outcome(() => free(device, one.inode)),
            name === undefined ? "mapping-not-found" : undefined,
          );
        }
        assertEquals(
          device.ascending(),
          [...model.inodeOf]
            .map(([name, virtualInode]) => ({
              key: KEYS[Number(name)] as MappingKey,
              virtualInode,
            }))
            .sort((a, b) => a.virtualInode < b.virtualInode ? -1 : 1),
        );
      }
    }),
    { seed: testSeed() | 0, numRuns: 400 },
  );
});

Deno.test("MultiDevice.ascending() gives the part that was asked for, of one moment", () => {
  const device = new MultiDevice(IDENTITY);
  map(device, ...Array.from({ length: 10 }, (_, i) => keyOf(BigInt(i))));
  const inodes = (mappings: readonly Mapping[]) => mappings.map((one) => Number(one.virtualInode));
  const all = device.ascending();
  free(device, 4n);
  load(device, keyOf(100n), 40n);
  load(device, keyOf(101n), 4n);
  assertEquals(inodes(all), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  assertEquals(all[3]?.key, keyOf(3n));
  assertEquals(inodes(device.ascending(2n, 3)), [3, 4, 5]);
  assertEquals(inodes(device.ascending(9n)), [10, 40]);
  assertEquals(inodes(device.ascending(40n)), []);
  for (const inode of [1n, 2n, 3n, 4n, 5n, 6n, 7n, 8n]) free(device, inode);
  assertEquals(inodes(device.ascending(0n, 2)), [9, 10]);
});

Deno.test("MultiDevice.ascending() shows a freed number that was loaded again once", () => {
  const device = new MultiDevice(IDENTITY);
  map(device, keyOf(1n), keyOf(2n), keyOf(3n));
  device.ascending();
  free(device, 3n);
  load(device, keyOf(9n), 3n);
  const expected = [
    { key: keyOf(1n), virtualInode: 1n },
    { key: keyOf(2n), virtualInode: 2n },
    { key: keyOf(9n), virtualInode: 3n },
  ];
  assertEquals(device.ascending(0n, 10), expected);
  assertEquals(device.ascending(), expected);
});

Deno.test("MultiDevice.plan() steps over a number that was loaded, freed and loaded again", () => {
  const device = new MultiDevice(IDENTITY, {}, 3n);
  load(device, keyOf(1n), 2n);
  free(device, 2n);
  assertEquals(device.numberCount, 1);
  load(device, keyOf(9n), 2n);
  assertEquals([device.numberCount, map(device, keyOf(3n), keyOf(4n))], [1, [1n, 3n]]);
  assertEquals(device.lookUp(2n).key, keyOf(9n));
  refused("inodes-exhausted", () => device.plan([keyOf(5n)]));
});
