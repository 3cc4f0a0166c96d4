import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { Fault, type FaultCode } from "../../src/core/faults.ts";
import { U64_MAX } from "../../src/core/limits.ts";
import type { LedgerEntry } from "../../src/core/ports/ledger.ts";
import type { MappingKey } from "../../src/devices/anonymous/mapping.ts";
import type { DeviceRegistry, RegistryState } from "../../src/devices/registry.ts";
import { DevicesBench } from "../support/devices.ts";
import { MemoryLedger } from "../support/ledger.ts";
import { SeededRandom, testSeed } from "../support/random.ts";

const keyOf = (inode: number | bigint): MappingKey => ({
  device: 8n,
  secondaryDevice: "",
  inode: BigInt(inode),
});

async function refused(code: FaultCode, action: () => Promise<unknown>): Promise<Fault> {
  const fault = await assertRejects(action, Fault);
  assertEquals(fault.code, code, fault.message);
  return fault;
}

/** A registry with devices of each sort, all of which have numbers, names or holders. */
async function filled(bench: DevicesBench): Promise<DeviceRegistry> {
  await bench.disk("sda", 8, 0);
  const registry = await bench.open();
  const { anonymous, host } = registry;
  await anonymous.create("simple", "pipes");
  await anonymous.create("multi");
  await anonymous.create("simple");
  await anonymous.delete("anon-3");
  await anonymous.nextInode("anon-1");
  await anonymous.map("anon-2", [1, 2, 3].map(keyOf));
  await anonymous.load("anon-2", { key: keyOf(9), virtualInode: U64_MAX });
  await anonymous.load("anon-2", { key: keyOf(10), virtualInode: 7n });
  await anonymous.free("anon-2", 7n);
  await anonymous.free("anon-2", 2n);
  const info = { containerPath: "/dev/a", type: "b", major: 8n, minor: 0n } as const;
  const { device } = await host.register({ info, sandbox: "s" });
  await host.attach(device.id, "c1", 5000);
  await host.report(device.id, { pciAddr: "02/03" });
  return registry;
}

/** A state as plain JSON, so that two can be compared. */
const plain = (state: RegistryState): unknown =>
  JSON.parse(JSON.stringify(state, (_key, item) => typeof item === "bigint" ? String(item) : item));

Deno.test("DeviceRegistry.restore() loads into an empty registry what save() gave, and it goes on", async () => {
  const first = await filled(new DevicesBench());
  const { state } = first.save();
  const bench = new DevicesBench({ seed: 8 });
  const second = await bench.open();
  await second.restore(state, "load");
  for (const registry of [second, await bench.open()]) {
    assertEquals(plain(registry.save().state), plain(state));
  }
  for (const { anonymous } of [first, second]) {
    assertEquals((await anonymous.create("simple")).identity.minor, 4n);
    assertEquals(await anonymous.nextInode("anon-1"), 2n);
    const items = await anonymous.map("anon-2", [2, 10, 11, 12, 13].map(keyOf));
    assertEquals(items.map(({ mapping }) => mapping.virtualInode), [4n, 5n, 6n, 8n, 9n]);
  }
  bench.clock.advance(5000);
  const [device] = second.host.list();
  assert(device !== undefined);
  assertEquals(second.host.statusOf(device), "lost");
});

Deno.test("DeviceRegistry.restore() by match puts the numbers of the image in place", async () => {
  const bench = new DevicesBench();
  const registry = await filled(bench);
  const { state } = registry.save();
  const before = plain(state);
  await registry.anonymous.map("anon-2", [20, 21].map(keyOf));
  await registry.anonymous.free("anon-2", 1n);
  await registry.anonymous.load("anon-2", { key: keyOf(30), virtualInode: 2n });
  await registry.anonymous.nextInode("anon-1");
  const [device] = registry.host.list();
  await registry.host.attach(device?.id ?? "", "c2");
  await registry.host.detach(device?.id ?? "", "c1");
  await registry.restore(state, "match");
  assertEquals(plain(registry.save().state), before);
  assertEquals(plain((await bench.open()).save().state), before);
});

Deno.test("DeviceRegistry.restore() refuses another set of devices and names the difference", async () => {
  const bench = new DevicesBench();
  const registry = await filled(bench);
  const { state } = registry.save();
  await refused("registry-not-empty", () => registry.restore(state, "load"));
  await registry.anonymous.delete("anon-1");
  await registry.anonymous.create("multi");
  const before = plain(registry.save().state);
  const fault = await refused("device-set-differs", () => registry.restore(state, "match"));
  assertEquals(fault.members, {
    added: [{ id: "anon-1", kind: "simple" }],
    removed: [{ id: "anon-4", kind: "multi" }],
  });
  assertEquals(plain(registry.save().state), before);
  assertEquals(plain((await bench.open()).save().state), before);
});

Deno.test("DeviceRegistry.restore() refuses an image of an older version than the caller knows", async () => {
  const registry = await filled(new DevicesBench());
  const { etag, state } = registry.save();
  await registry.anonymous.nextInode("anon-1");
  await refused("image-stale", () => registry.restore(state, "match", [etag]));
  const now = registry.etag;
  assert((await registry.restore(state, "match", ['"other"', now])) !== now);
});

Deno.test("DeviceRegistry.restore() keeps everything in one commit, and nothing when it fails", async () => {
  const bench = new DevicesBench();
  const registry = await filled(bench);
  const { state } = registry.save();
  await registry.anonymous.map("anon-2", [40, 41].map(keyOf));
  const before = plain(registry.save().state);
  bench.ledger.failing = new Error("disk is full");
  await refused("state-unavailable", () => registry.restore(state, "match"));
  bench.ledger.failing = undefined;
  assertEquals(plain(registry.save().state), before);
  assertEquals(plain((await bench.open()).save().state), before);
  let commits = 0;
  const commit = bench.ledger.commit.bind(bench.ledger);
  bench.ledger.commit = (entries) => {
    commits++;
    return commit(entries);
  };
  await registry.restore(state, "match");
  assertEquals(commits, 1);
});

Deno.test("DeviceRegistry.restore() refuses an image that contradicts itself", async () => {
  const { state } = (await filled(new DevicesBench())).save();
  const [simple, multi] = state.anonymous.devices;
  const [device] = state.host;
  assert(simple !== undefined && multi !== undefined && device?.block !== undefined);
  const anonymous = (...devices: typeof state.anonymous.devices) => ({
    ...state,
    anonymous: { ...state.anonymous, devices },
  });
  const host = (...host: typeof state.host) => ({ ...state, host });
  const other = { ...device, id: "ffffffffffffffff", sandbox: "s2" };
  const { block: _, ...plainOther } = { ...other, holders: [] };
  const asGeneric = { ...plainOther, kind: "generic" as const };
  const { index: _i, scsiAddr: _s, virtPath: _v, ...plainDrive } = device.block;
  const elsewhere = { ...other.info, hostPath: "/dev/x", minor: 1n };
  const [first] = multi.mappings;
  assert(first !== undefined);
  const bad: RegistryState[] = [
    anonymous(simple, simple),
    anonymous({ ...simple, minor: 0n }),
    anonymous({ ...simple, minor: 9n }),
    anonymous({ ...simple, mappings: multi.mappings }),
    anonymous({ ...multi, mappings: [first, first] }),
    anonymous({ ...multi, mappings: [first, { ...first, virtualInode: 9n }] }),
    anonymous({ ...multi, mappings: [first, { ...first, key: keyOf(99) }] }),
    anonymous({ ...multi, mappings: [{ ...first, virtualInode: 0n }] }),
    anonymous({ ...multi, retired: [1n] }),
    anonymous({ ...multi, retired: [U64_MAX] }),
    host(device, device),
    host(device, other),
    host(device, asGeneric),
    host(asGeneric, device),
    host(device, { ...other, sandbox: "s", info: elsewhere }),
    host({ ...device, holders: [...device.holders, ...device.holders] }),
    host({ ...device, holders: [] }),
    host({ ...plainOther, kind: "block", block: { ...plainDrive, pciAddr: "02/03" } }),
    host({ ...device, block: { ...device.block, index: 65_535 } }),
    host({ ...device, kind: "generic" }),
    host({ ...device, rng: { id: "r", filename: "/f" } }),
  ];
  for (const [at, one] of bad.entries()) {
    const registry = await new DevicesBench().open();
    const fault = await refused("image-contradicts", () => registry.restore(one, "load"));
    assertEquals(registry.deviceCount, 0, `${at}: ${fault.message}`);
  }
});

/** A ledger whose commits take a random number of turns. */
class SlowLedger extends MemoryLedger {
  constructor(readonly random: SeededRandom) {
    super();
  }

  override async commit(entries: readonly LedgerEntry[]): Promise<void> {
    for (let turns = this.random.below(9); turns > 0; turns--) await Promise.resolve();
    await super.commit(entries);
  }
}

Deno.test("DeviceRegistry.restore() while requests run leaves memory and ledger the same", async () => {
  const seed = testSeed();
  const image = (await filled(new DevicesBench())).save().state;
  const [held] = image.host;
  assert(held !== undefined);
  for (let round = 0; round < 300; round++) {
    const random = new SeededRandom(seed + round);
    const bench = Object.assign(new DevicesBench(), { ledger: new SlowLedger(random) });
    const registry = await bench.open();
    await registry.restore(image, "load");
    const { anonymous, host } = registry;
    const choices: (() => Promise<unknown>)[] = [
      () => anonymous.nextInode("anon-1"),
      () => anonymous.map("anon-2", [keyOf(random.below(20)), keyOf(random.below(20))]),
      () => anonymous.free("anon-2", BigInt(random.below(6))),
      () => anonymous.create("multi"),
      () => anonymous.delete("anon-2"),
      () => host.attach(held.id, "c2"),
      () => host.detach(held.id, "c1"),
      () => registry.restore(image, "match"),
    ];
    const acts = Array.from({ length: 8 }, async (_, i) => {
      for (let turns = random.below(20); turns > 0; turns--) await Promise.resolve();
      return await (i === 0 ? () => registry.restore(image, "match") : random.pick(choices))();
    });
    for (const result of await Promise.allSettled(acts)) {
      if (result.status === "rejected" && !(result.reason instanceof Fault)) throw result.reason;
    }
    const where = `INNKEEPER_TEST_SEED=${seed}, round ${round}`;
    const again = await bench.open();
    assertEquals(plain(again.save().state), plain(registry.save().state), where);
    assertEquals(again.mappingCount, registry.mappingCount, where);
    const items = anonymous.has("anon-2") ? anonymous.mappings("anon-2").items : [];
    assertEquals(new Set(items.map(({ key }) => key.inode)).size, items.length, where);
  }
});

Deno.test("AnonymousDevices.delete() frees the minor, which comes again when all others are used", async () => {
  const bench = new DevicesBench();
  let { anonymous } = await bench.open({ minorsMax: 3, mappingsMax: 9 });
  await anonymous.create("simple");
  await anonymous.create("multi");
  await anonymous.map("anon-2", [1, 2, 3].map(keyOf));
  await anonymous.load("anon-2", { key: keyOf(4), virtualInode: 9n });
  await anonymous.free("anon-2", 9n);
  await anonymous.delete("anon-2");
  await refused("device-not-found", () => anonymous.delete("anon-2"));
  assertEquals([anonymous.mappingCount, (await bench.ledger.load("mapping")).length], [0, 0]);
  anonymous = (await bench.open({ minorsMax: 3, mappingsMax: 9 })).anonymous;
  for (const minor of [3n, 2n]) {
    assertEquals((await anonymous.create("multi")).identity.minor, minor);
  }
  await refused("minors-exhausted", () => anonymous.create("simple"));
  assertEquals(anonymous.list().map(({ identity }) => identity.minor), [1n, 2n, 3n]);
  assertEquals(anonymous.mappings("anon-2").items, []);
});

Deno.test("AnonymousDevices.delete() ends what waits for the device", async () => {
  const { anonymous } = await new DevicesBench().open();
  await anonymous.create("multi");
  const results = await Promise.allSettled([
    anonymous.delete("anon-1"),
    anonymous.map("anon-1", [keyOf(1)]),
    anonymous.load("anon-1", { key: keyOf(2), virtualInode: 4n }),
  ]);
  const known = results.map((one) => one.status === "rejected" ? one.reason.code : "done");
  assert(known[0] === "done" && anonymous.count === 0 && anonymous.mappingCount === 0, `${known}`);
});

Deno.test("DeviceRegistry tells every change once, after it holds", async () => {
  const bench = new DevicesBench();
  const registry = await filled(bench);
  await registry.restore(registry.save().state, "match");
  assertEquals(bench.events.kinds, [
    ...["device.created", "device.created", "device.created", "device.deleted"],
    ...["device.inode-taken", "mapping.created", "mapping.loaded", "mapping.loaded"],
    ...["mapping.freed", "mapping.freed", "device.created", "device.attached", "device.reported"],
    "registry.restored",
  ]);
  assertEquals(bench.events.facts[5]?.data, { count: 3, first: 1n, last: 3n });
  bench.ledger.failing = new Error("disk is full");
  const before = bench.events.kinds.length;
  await refused("state-unavailable", () => registry.anonymous.create("simple"));
  await registry.anonymous.map("anon-2", [keyOf(1)]);
  assertEquals(bench.events.kinds.length, before);
});

type Act =
  | { readonly do: "map"; readonly keys: readonly number[] }
  | { readonly do: "load"; readonly key: number; readonly inode: bigint }
  | { readonly do: "free"; readonly inode: bigint }
  | { readonly do: "save" | "restore" | "reopen" };

/** Numbers from the whole range: its ends, and a few that come up often. */
const inode = fc.oneof(
  fc.bigInt({ min: 1n, max: 8n }),
  fc.bigInt({ min: 0n, max: U64_MAX }),
  fc.constantFrom(U64_MAX, U64_MAX - 1n, 1n << 63n, (1n << 53n) + 1n),
);
const key = fc.nat({ max: 9 });
const act: fc.Arbitrary<Act> = fc.oneof(
  fc.record({ do: fc.constant("map" as const), keys: fc.array(key, { maxLength: 4 }) }),
  fc.record({ do: fc.constant("load" as const), key, inode }),
  fc.record({ do: fc.constant("free" as const), inode }),
  fc.record({ do: fc.constantFrom("save" as const, "restore" as const, "reopen" as const) }),
);

/** gVisor's two maps, and numbers freed ahead of `last`. */
interface Model {
  readonly byKey: Map<number, bigint>;
  readonly retired: Set<bigint>;
  last: bigint;
}

function mapIn(model: Model, one: number): bigint {
  const known = model.byKey.get(one);
  if (known !== undefined) return known;
  const used = new Set(model.byKey.values());
  do {
    model.last++;
  } while (used.has(model.last) || model.retired.has(model.last));
  for (const number of model.retired) if (number < model.last) model.retired.delete(number);
  model.byKey.set(one, model.last);
  return model.last;
}

const copyOf = ({ byKey, retired, last }: Model): Model => ({
  byKey: new Map(byKey),
  retired: new Set(retired),
  last,
});

Deno.test("DeviceRegistry maps, loads, frees and restores as a naive model does, over all of u64", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 40 }), async (acts) => {
      const bench = new DevicesBench();
      let registry = await bench.open();
      await registry.anonymous.create("multi");
      let model: Model = { byKey: new Map(), retired: new Set(), last: 0n };
      let saved = { state: registry.save().state, model: copyOf(model) };
      for (const one of acts) {
        const { anonymous } = registry;
        if (one.do === "map") {
          const items = await anonymous.map("anon-1", one.keys.map(keyOf));
          const expected = one.keys.map((key) => mapIn(model, key));
          assertEquals(items.map(({ mapping }) => mapping.virtualInode), expected);
        } else if (one.do === "load") {
          const { key, inode } = one;
          const taken = [...model.byKey].find(([, number]) => number === inode)?.[0];
          const isRefused = inode === 0n || (model.byKey.get(key) ?? inode) !== inode ||
            (taken ?? key) !== key;
          const load = anonymous.load("anon-1", { key: keyOf(key), virtualInode: inode });
          assertEquals(await load.then(() => false, () => true), isRefused);
          if (!isRefused) {
            model.byKey.set(key, inode);
            model.retired.delete(inode);
          }
        } else if (one.do === "free") {
          const taken = [...model.byKey].find(([, number]) => number === one.inode)?.[0];
          const free = anonymous.free("anon-1", one.inode);
          assertEquals(await free.then(() => true, () => false), taken !== undefined);
          if (taken !== undefined) {
            model.byKey.delete(taken);
            if (one.inode > model.last) model.retired.add(one.inode);
          }
        } else if (one.do === "save") {
          saved = { state: registry.save().state, model: copyOf(model) };
        } else if (one.do === "restore") {
          await registry.restore(saved.state, "match");
          model = copyOf(saved.model);
        } else registry = await bench.open();
        const there = registry.anonymous.mappings("anon-1").items;
        assertEquals(
          there.map(({ key, virtualInode }) => [Number(key.inode), virtualInode]),
          [...model.byKey].sort(([, a], [, b]) => a < b ? -1 : 1),
        );
        assertEquals(registry.mappingCount, model.byKey.size + model.retired.size);
      }
    }),
    { seed: testSeed() | 0, numRuns: 300 },
  );
});
