import { assert, assertEquals, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import { Fault, type FaultCode } from "../../src/core/faults.ts";
import {
  ENGINE_MAKE_MS,
  GUEST_BYTES_TOTAL_MAX,
  GUEST_PAGES_MAX,
  GUESTS_MAX,
  PAGE_BYTES,
} from "../../src/core/limits.ts";
import type { GuestEngine } from "../../src/core/ports/guest_engine.ts";
import { SystemError } from "../../src/core/system_error.ts";
import type { CreateGuest } from "../../src/guests/create_guest.ts";
import { Guests } from "../../src/guests/guests.ts";
import type { Program } from "../../src/guests/program.ts";
import { FakeClock } from "../support/clock.ts";
import { CollectedEvents } from "../support/events.ts";
import { FAKE_PROGRAMS, FakeEngine } from "../support/guest_engine.ts";
import { guestFiles, showing } from "../support/guest_files.ts";
import { MemoryLedger } from "../support/ledger.ts";
import { SeededRandom } from "../support/random.ts";
import { MemorySnapshots } from "../support/snapshot_store.ts";

const FIRST = showing({ generation: 7, epoch: 1n, unique: "01".repeat(16) });
const NEXT = { generation: 8, epoch: 2n, unique: "02".repeat(16) };
const SECOND = showing(NEXT);
const HELLO: Program = {
  pfnLimit: 16,
  start: 0x1000n,
  load: [{ at: 0x1000n, bytes: FAKE_PROGRAMS.hello }],
};

/** Guests on fakes, which can be opened again as after a restart. */
class TestHost {
  readonly engines: FakeEngine[] = [];
  readonly store = new MemorySnapshots();
  readonly ledger = new MemoryLedger();
  readonly events = new CollectedEvents();
  readonly clock = new FakeClock();
  readonly random = new SeededRandom(1);

  constructor(readonly prepare: (engine: FakeEngine) => void = () => {}) {}

  open(): Promise<Guests> {
    const v86 = (): GuestEngine => {
      const engine = new FakeEngine();
      this.prepare(engine);
      this.engines.push(engine);
      return engine;
    };
    const { store, ledger, events, clock, random } = this;
    const ports = { engines: { v86 }, files: guestFiles(), snapshots: store };
    return Guests.open({ ...ports, ledger, events, clock, random });
  }
}

async function opened(
  prepare?: (engine: FakeEngine) => void,
): Promise<TestHost & { readonly guests: Guests }> {
  const made = new TestHost(prepare);
  return Object.assign(made, { guests: await made.open() });
}

const spec = (
  name: string,
  from: Pick<CreateGuest, "bare" | "snapshot"> = { bare: HELLO },
): CreateGuest => ({ name, engine: "auto", ...from });

async function refused(code: FaultCode, call: () => Promise<unknown>): Promise<void> {
  const fault = await assertRejects(call, Fault);
  assertEquals(fault.code, code, fault.message);
}

Deno.test("Guests.create() makes guests with owners of their own", async () => {
  const { guests } = await opened();
  const one = await guests.create(spec("one"), FIRST);
  const two = await guests.create(spec("two"), FIRST);
  assertNotEquals(one.ownerToken, two.ownerToken);
  assertEquals(one.ownerToken.length, 64);
  assertEquals(guests.owned("one", one.ownerToken), one.guest);
  assertEquals(assertThrows(() => guests.owned("one", two.ownerToken), Fault).code, "not-owner");
  assertEquals(assertThrows(() => guests.get("three"), Fault).code, "guest-not-found");
  assertEquals(guests.list().map(({ id }) => id), ["one", "two"]);
  assertEquals(guests.memoryBytes, 2 * 16 * PAGE_BYTES);
  const unnamed = async () => (await guests.create({ engine: "auto", bare: HELLO }, FIRST)).guest;
  assertNotEquals((await unnamed()).id, (await unnamed()).id);
});

Deno.test("Guests.create() refuses a name that is taken, also by one in the making (cases 2, 3)", async () => {
  const { guests, engines } = await opened();
  const first = guests.create(spec("g"), FIRST);
  await refused("already-initialized", () => guests.create(spec("g"), FIRST));
  const { guest } = await first;
  guest.die({ reason: "tired", errno: "ENOENT" });
  await refused("already-initialized", () => guests.create(spec("g"), FIRST));
  assertEquals(engines.length, 1);
  await guests.delete("g", { ownerToken: undefined, force: true });
  await guests.create(spec("g"), FIRST);
});

Deno.test("Guests.create() refuses what is out of range and leaves nothing over (case 41)", async () => {
  const { guests, engines } = await opened();
  const cases: readonly (readonly [Partial<Program>, FaultCode])[] = [
    [{ pfnLimit: 0 }, "value-not-allowed"],
    [{ pfnLimit: 1.5 }, "value-not-allowed"],
    [{ pfnLimit: GUEST_PAGES_MAX + 1 }, "value-not-allowed"],
    [{ start: 65536n }, "address-out-of-range"],
    [{ start: (1n << 64n) - 1n }, "address-out-of-range"],
    [{ load: [{ at: 65535n, bytes: new Uint8Array(2) }] }, "address-out-of-range"],
    [{ load: Array(17).fill(HELLO.load[0]) }, "value-not-allowed"],
  ];
  for (const [change, code] of cases) {
    await refused(
      code,
      () => guests.create(spec("g", { bare: { ...HELLO, ...change } }), FIRST),
    );
  }
  assertEquals([guests.list().length, guests.memoryBytes, engines.length], [0, 0, 0]);
});

Deno.test("Guests.create() keeps to the memory of all guests together", async () => {
  const { guests } = await opened();
  const big = (id: string) =>
    guests.create(spec(id, { bare: { ...HELLO, pfnLimit: GUEST_PAGES_MAX } }), FIRST);
  const count = GUEST_BYTES_TOTAL_MAX / (GUEST_PAGES_MAX * PAGE_BYTES);
  // The fake's memory is never touched, so most of this is only address space.
  for (let i = 0; i < count; i++) await big(`g-${i}`);
  await refused("memory-exhausted", () => big("one-more"));
  await guests.delete("g-0", { ownerToken: undefined, force: true });
  await big("one-more");
  guests.close();
});

Deno.test("Guests.create() keeps to the number of guests", async () => {
  const { guests } = await opened();
  for (let i = 0; i < GUESTS_MAX; i++) await guests.create(spec(`g-${i}`), FIRST);
  await refused("guests-exhausted", () => guests.create(spec("one-more"), FIRST));
  guests.close();
});

Deno.test("Guests.create() frees the name and the engine when the engine fails", async () => {
  const { guests, engines } = await opened((engine) => {
    engine.failing = new SystemError("ENODEV", "run v86", "no memory");
  });
  await refused("engine-unavailable", () => guests.create(spec("g"), FIRST));
  await refused("engine-unavailable", () => guests.create({ ...spec("g"), engine: "kvm" }, FIRST));
  assertEquals(engines.map(({ closed }) => closed > 0), [true]);
  assertEquals(guests.memoryBytes, 0);
});

Deno.test("Guests.create() gives an engine up that does not answer, and not one that does", async () => {
  const { guests, engines, clock } = await opened((engine) => {
    engine.silent = true;
  });
  const made = guests.create(spec("g"), FIRST);
  made.catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 0));
  clock.advance(ENGINE_MAKE_MS - 1);
  assertEquals(engines.map(({ closed }) => closed > 0), [false]);
  clock.advance(1);
  await refused("engine-unavailable", () => made);
  assertEquals(engines.map(({ closed }) => closed > 0), [true]);
  assertEquals([guests.memoryBytes, guests.list(), clock.pending], [0, [], 0]);
});

Deno.test("Guests.snapshot() and create() clone a guest with an identity of its own (case 40)", async () => {
  const { guests } = await opened();
  const { guest, ownerToken } = await guests.create(spec("g"), FIRST);
  await guest.run(1000);
  await refused("wrong-state", () => guests.snapshot("g", ownerToken));
  await guest.pause();
  await refused("not-owner", () => guests.snapshot("g", "wrong"));
  const snapshot = await guests.snapshot("g", ownerToken);
  assertEquals([snapshot.guest, snapshot.scope, snapshot.generation], ["g", "vm-7", 7]);
  assertEquals(await guests.snapshots.get(snapshot.id), snapshot);

  const clone = await guests.create(spec("clone", { snapshot: snapshot.id }), SECOND);
  assertEquals(await clone.guest.registers.all(), await guest.registers.all());
  clone.guest.interrupt(1);
  assertEquals(await clone.guest.run(1000), { reason: "notify", value: 1 });
  assertEquals((await clone.guest.registers.all()).cx, 8n);
  const second = guests.create(spec("second", { snapshot: snapshot.id }), SECOND);
  await refused(
    "already-initialized",
    () => guests.create(spec("second", { snapshot: snapshot.id }), SECOND),
  );
  await second;
  await refused(
    "value-not-allowed",
    () => guests.create({ ...spec("h", { snapshot: snapshot.id }), engine: "kvm" }, SECOND),
  );
});

Deno.test("Guests.create() refuses a snapshot that is unknown or damaged", async () => {
  const { guests, store, engines } = await opened();
  const { guest, ownerToken } = await guests.create(spec("g"), FIRST);
  await guest.pause();
  const { id } = await guests.snapshot("g", ownerToken);
  await refused("snapshot-not-found", () => guests.create(spec("h", { snapshot: "none" }), SECOND));
  const bytes = store.stored.get(id) as Uint8Array<ArrayBuffer>;
  bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
  await refused("snapshot-damaged", () => guests.create(spec("h", { snapshot: id }), SECOND));
  assertEquals(engines.map(({ closed }) => closed), [0, 1]);
  assertEquals(guests.memoryBytes, 16 * PAGE_BYTES);
});

Deno.test("Guests.delete() wants the owner or force, and an unknown id is no error (case 30)", async () => {
  const { guests, engines } = await opened();
  const { guest, ownerToken } = await guests.create(spec("g"), FIRST);
  const by = (token: string | undefined, force = false) => ({ ownerToken: token, force });
  assertEquals(
    (await assertRejects(() => guests.delete("g", by(undefined)), Fault)).code,
    "not-owner",
  );
  await guests.delete("g", by(ownerToken));
  await guests.delete("g", by(ownerToken));
  assertEquals(engines[0]?.closed, 1);
  assertEquals(guest.state, "dead");
  assertEquals(guests.memoryBytes, 0);
});

Deno.test("Guests.close() ends all guests, those in the making too", async () => {
  const { guests, engines } = await opened();
  await guests.create(spec("one"), FIRST);
  const unfinished = refused("shutting-down", () => guests.create(spec("two"), FIRST));
  guests.close();
  await unfinished;
  assert(engines.every(({ closed }) => closed === 1));
  await refused("shutting-down", () => guests.create(spec("three"), FIRST));
});

Deno.test("Snapshots are taken one at a time, since each holds its guest's memory", async () => {
  const { guests, engines } = await opened();
  const { guest, ownerToken } = await guests.create(spec("g"), FIRST);
  await guest.pause();
  let [now, most] = [0, 0];
  const [engine] = engines as [FakeEngine];
  const capture = engine.capture.bind(engine);
  engine.capture = async () => {
    most = Math.max(most, ++now);
    await new Promise((resolve) => setTimeout(resolve, 0));
    now--;
    return await capture();
  };
  const taken = await Promise.all([1, 2, 3].map(() => guests.snapshot("g", ownerToken)));
  assertEquals([new Set(taken.map(({ id }) => id)).size, most], [3, 1]);
});

Deno.test("Snapshots tells a full disk from one that fails", async () => {
  const { guests, store } = await opened();
  const { guest, ownerToken } = await guests.create(spec("g"), FIRST);
  await guest.pause();
  store.failing = new SystemError("ENOSPC", "write", "s");
  await refused("snapshots-exhausted", () => guests.snapshot("g", ownerToken));
  store.failing = new SystemError("EIO", "write", "s");
  await refused("state-unavailable", () => guests.snapshot("g", ownerToken));
});

Deno.test("Snapshots.summary() shows a damaged snapshot as such, and none that is gone", async () => {
  const { guests, store } = await opened();
  store.stored.set("bad", new Uint8Array(100));
  assertEquals(await guests.snapshots.summary("bad"), { id: "bad", fault: "snapshot-damaged" });
  assertEquals(await guests.snapshots.summary("gone"), undefined);
});

Deno.test("Guests.open() shows guests of an earlier process as lost, and says so once (case 44)", async () => {
  const bench = await opened();
  const { guest, ownerToken } = await bench.guests.create(spec("g"), FIRST);
  const { guest: crashed } = await bench.guests.create(spec("crashed"), FIRST);
  await bench.guests.create(spec("deleted"), FIRST);
  await bench.guests.delete("deleted", { ownerToken: undefined, force: true });
  crashed.die({ reason: "CRASH: out of beds", errno: "ENOENT" });
  await new Promise((resolve) => setTimeout(resolve, 0));
  bench.guests.close();
  for (const reported of [1, 0]) {
    bench.events.facts.length = 0;
    const next = await bench.open();
    assertEquals(next.list().map(({ id, state, death }) => [id, state, death?.reason]), [
      ["crashed", "dead", "CRASH: out of beds"],
      ["g", "dead", "host_restart"],
    ]);
    assertEquals(bench.events.facts.length, reported);
    const lost = next.owned("g", ownerToken);
    assertEquals([lost.scope, lost.memory.sizeBytes, lost.createdNs], [
      "vm-7",
      65536,
      guest.createdNs,
    ]);
    assertEquals([lost.engine, lost.identity.generation], ["v86", 7]);
    await refused("guest-dead", () => lost.run(10));
    await refused("already-initialized", () => next.create(spec("g"), FIRST));
    assertEquals(next.memoryBytes, 0);
    next.close();
  }
  const last = await bench.open();
  await last.delete("g", { ownerToken: undefined, force: false });
  await last.create(spec("g"), FIRST);
  assertEquals(bench.engines.length, 4);
});

Deno.test("Guests deletes a guest whose owner's lease has run out, and says so", async () => {
  const { guests, clock, events, engines, ledger } = await opened();
  const { ownerToken } = await guests.create({ ...spec("g"), leaseMs: 100 }, FIRST);
  const release = guests.hold("g", ownerToken);
  guests.hold("g", "wrong");
  guests.hold("none", ownerToken);
  clock.advance(1000);
  release();
  clock.advance(99);
  assertEquals(guests.list().length, 1);
  clock.advance(1);
  assertEquals(guests.list().length, 0);
  assertEquals(engines[0]?.closed, 1);
  assertEquals(events.kinds, ["guest.created", "guest.owner-lost", "guest.deleted"]);
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals(await ledger.load("guest"), []);
  await guests.create(spec("g"), FIRST);
  clock.advance(1000);
  assertEquals(guests.list().length, 1);
});

Deno.test("Guests lets the lease of a lost guest run out too", async () => {
  const bench = await opened();
  await bench.guests.create({ ...spec("g"), leaseMs: 100 }, FIRST);
  bench.guests.close();
  assertEquals(bench.clock.pending, 0);
  const next = await bench.open();
  bench.clock.advance(100);
  assertEquals(next.list(), []);
});

Deno.test("Guests.newOwner() gives another token and the lease anew", async () => {
  const { guests, clock, events } = await opened();
  const { guest, ownerToken } = await guests.create({ ...spec("g"), leaseMs: 100 }, FIRST);
  clock.advance(99);
  const token = guests.newOwner("g");
  assertEquals(events.kinds, ["guest.created", "guest.owner-changed"]);
  clock.advance(99);
  assertEquals(guests.owned("g", token), guest);
  assertEquals(assertThrows(() => guests.owned("g", ownerToken), Fault).code, "not-owner");
  assertEquals(assertThrows(() => guests.newOwner("none"), Fault).code, "guest-not-found");
  guest.die({ reason: "tired", errno: "ENOENT" });
  assertEquals(assertThrows(() => guests.newOwner("g"), Fault).code, "guest-dead");
});

Deno.test("Guests changes nothing when the ledger fails", async () => {
  const { guests, engines, ledger, events } = await opened();
  await guests.create(spec("g"), FIRST);
  ledger.failing = new Error("disk full");
  await refused("state-unavailable", () => guests.create(spec("h"), FIRST));
  const force = { ownerToken: undefined, force: true };
  await refused("state-unavailable", () => guests.delete("g", force));
  assertEquals(engines.map(({ closed }) => closed), [0, 1]);
  assertEquals(guests.list().map(({ id, state }) => [id, state]), [["g", "ready"]]);
  ledger.failing = undefined;
  await guests.delete("g", force);
  await guests.create(spec("h"), FIRST);
  assertEquals(events.kinds, ["guest.created", "guest.deleted", "guest.created"]);
});

Deno.test("Guests keeps why a guest has died that could not be deleted", async () => {
  const bench = await opened();
  const { guest } = await bench.guests.create(spec("g"), FIRST);
  bench.ledger.failing = new Error("disk full");
  const force = { ownerToken: undefined, force: true };
  await refused("state-unavailable", () => bench.guests.delete("g", force));
  bench.ledger.failing = undefined;
  guest.die({ reason: "tired", errno: "ENOENT" });
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals((await bench.open()).get("g").death?.reason, "tired");
});

Deno.test("Guests.close() while a guest is written down leaves nothing written of it", async () => {
  const { guests, ledger, engines } = await opened();
  const commit = ledger.commit.bind(ledger);
  ledger.commit = async (entries) => {
    await commit(entries);
    guests.close();
  };
  await refused("shutting-down", () => guests.create(spec("g"), FIRST));
  assertEquals(await ledger.load("guest"), []);
  assertEquals(engines[0]?.closed, 1);
});

Deno.test("Guests keeps nothing of a guest that dies while it is deleted", async () => {
  const { guests, ledger } = await opened();
  const { guest } = await guests.create(spec("g"), FIRST);
  const gone = guests.delete("g", { ownerToken: undefined, force: true });
  guest.die({ reason: "tired", errno: "ENOENT" });
  await gone;
  assertEquals(await ledger.load("guest"), []);
  assertEquals([guests.list().length, guests.memoryBytes], [0, 0]);
});

Deno.test("Guests tells of a guest's life in order (case 43)", async () => {
  const { guests, events } = await opened();
  const { guest, ownerToken } = await guests.create(spec("g"), FIRST);
  await guest.start();
  while (guest.state === "running") await new Promise((resolve) => setTimeout(resolve, 0));
  await guest.pause();
  const { id } = await guests.snapshot("g", ownerToken);
  await guests.snapshots.delete(id);
  guest.die({ reason: "tired", errno: "ENOENT" });
  assertEquals(guests.memoryBytes, 0);
  await guests.delete("g", { ownerToken, force: false });
  assertEquals(events.kinds, [
    "guest.created",
    "guest.started",
    "guest.notify",
    "guest.paused",
    "snapshot.created",
    "snapshot.deleted",
    "guest.dead",
    "guest.deleted",
  ]);
});

Deno.test("Guests.snapshot() never names an older generation than its image shows", async () => {
  const { guests, engines } = await opened();
  const { guest, ownerToken } = await guests.create(spec("g"), FIRST);
  await guest.pause();
  const engine = engines[0] as FakeEngine;
  const capture = engine.capture.bind(engine);
  engine.capture = () => (guest.identify(NEXT), capture());
  assertEquals((await guests.snapshot("g", ownerToken)).generation, 8);
});
