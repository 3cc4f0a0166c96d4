import { assert, assertEquals, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import { Fault, type FaultCode } from "../../src/core/faults.ts";
import {
  GUEST_BYTES_TOTAL_MAX,
  GUEST_PAGES_MAX,
  GUESTS_MAX,
  PAGE_BYTES,
} from "../../src/core/limits.ts";
import type { GuestEngine } from "../../src/core/ports/guest_engine.ts";
import { SystemError } from "../../src/core/system_error.ts";
import { Guests, type GuestSpec, type Program } from "../../src/guests/guests.ts";
import { FakeClock } from "../support/clock.ts";
import { FAKE_PROGRAMS, FakeEngine } from "../support/guest_engine.ts";
import { SeededRandom } from "../support/random.ts";
import { MemorySnapshots } from "../support/snapshot_store.ts";

const FIRST = { generation: 7, epoch: 1n, unique: "01".repeat(16) };
const SECOND = { generation: 8, epoch: 2n, unique: "02".repeat(16) };
const HELLO: Program = {
  pfnLimit: 16,
  start: 0x1000n,
  load: [{ at: 0x1000n, bytes: FAKE_PROGRAMS.hello }],
};

interface House {
  readonly guests: Guests;
  readonly engines: FakeEngine[];
  readonly store: MemorySnapshots;
}

function house(prepare: (engine: FakeEngine) => void = () => {}): House {
  const engines: FakeEngine[] = [];
  const store = new MemorySnapshots();
  const v86 = (): GuestEngine => {
    const engine = new FakeEngine();
    prepare(engine);
    engines.push(engine);
    return engine;
  };
  const clock = new FakeClock();
  const random = new SeededRandom(1);
  return {
    guests: new Guests({ engines: { v86 }, snapshots: store, clock, random }),
    engines,
    store,
  };
}

const spec = (id: string, from: GuestSpec["from"] = { program: HELLO }): GuestSpec => ({
  id,
  scope: "vm-7",
  engine: "auto",
  from,
});

async function refused(code: FaultCode, call: () => Promise<unknown>): Promise<void> {
  const fault = await assertRejects(call, Fault);
  assertEquals(fault.code, code, fault.message);
}

Deno.test("Guests.create() makes guests with owners of their own", async () => {
  const { guests } = house();
  const one = await guests.create(spec("one"), FIRST);
  const two = await guests.create(spec("two"), FIRST);
  assertNotEquals(one.ownerToken, two.ownerToken);
  assertEquals(one.ownerToken.length, 64);
  assertEquals(guests.owned("one", one.ownerToken), one.guest);
  assertEquals(assertThrows(() => guests.owned("one", two.ownerToken), Fault).code, "not-owner");
  assertEquals(assertThrows(() => guests.get("three"), Fault).code, "guest-not-found");
  assertEquals(guests.list().map(({ id }) => id), ["one", "two"]);
  assertEquals(guests.memoryBytes, 2 * 16 * PAGE_BYTES);
  assertNotEquals(guests.newId(), guests.newId());
});

Deno.test("Guests.create() refuses a name that is taken, also by one in the making (cases 2, 3)", async () => {
  const { guests, engines } = house();
  const first = guests.create(spec("g"), FIRST);
  await refused("already-initialized", () => guests.create(spec("g"), FIRST));
  const { guest } = await first;
  guest.die({ reason: "tired", errno: "ENOENT" });
  await refused("already-initialized", () => guests.create(spec("g"), FIRST));
  assertEquals(engines.length, 1);
  guests.delete("g", { ownerToken: undefined, force: true });
  await guests.create(spec("g"), FIRST);
});

Deno.test("Guests.create() refuses what is out of range and leaves nothing over (case 41)", async () => {
  const { guests, engines } = house();
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
      () => guests.create(spec("g", { program: { ...HELLO, ...change } }), FIRST),
    );
  }
  assertEquals([guests.list().length, guests.memoryBytes, engines.length], [0, 0, 0]);
});

Deno.test("Guests.create() keeps to the memory of all guests together", async () => {
  const { guests } = house();
  const big = (id: string) =>
    guests.create(spec(id, { program: { ...HELLO, pfnLimit: GUEST_PAGES_MAX } }), FIRST);
  const count = GUEST_BYTES_TOTAL_MAX / (GUEST_PAGES_MAX * PAGE_BYTES);
  // The fake's memory is never touched, so most of this is only address space.
  for (let i = 0; i < count; i++) await big(`g-${i}`);
  await refused("memory-exhausted", () => big("one-more"));
  guests.delete("g-0", { ownerToken: undefined, force: true });
  await big("one-more");
  guests.close();
});

Deno.test("Guests.create() keeps to the number of guests", async () => {
  const { guests } = house();
  for (let i = 0; i < GUESTS_MAX; i++) await guests.create(spec(`g-${i}`), FIRST);
  await refused("guests-exhausted", () => guests.create(spec("one-more"), FIRST));
  guests.close();
});

Deno.test("Guests.create() frees the name and the engine when the engine fails", async () => {
  const { guests, engines } = house((engine) => {
    engine.failing = new SystemError("ENODEV", "run v86", "no memory");
  });
  await refused("engine-unavailable", () => guests.create(spec("g"), FIRST));
  await refused("engine-unavailable", () => guests.create({ ...spec("g"), engine: "kvm" }, FIRST));
  assertEquals(engines.map(({ closed }) => closed > 0), [true]);
  assertEquals(guests.memoryBytes, 0);
});

Deno.test("Guests.snapshot() and create() clone a guest with an identity of its own (case 40)", async () => {
  const { guests } = house();
  const { guest, ownerToken } = await guests.create(spec("g"), FIRST);
  await guest.run(1000);
  await refused("wrong-state", () => guests.snapshot("g", ownerToken));
  await guest.pause();
  await refused("not-owner", () => guests.snapshot("g", "wrong"));
  const snapshot = await guests.snapshot("g", ownerToken);
  assertEquals([snapshot.guest, snapshot.scope, snapshot.generation], ["g", "vm-7", 7]);
  assertEquals(await guests.snapshots.get(snapshot.id), snapshot);

  const clone = await guests.create(spec("clone", { snapshot: snapshot.id }), SECOND);
  assertEquals(await clone.guest.registers(), await guest.registers());
  clone.guest.interrupt(1);
  assertEquals(await clone.guest.run(1000), { reason: "notify", value: 1 });
  assertEquals((await clone.guest.registers()).cx, 8n);
  const twin = guests.create(spec("twin", { snapshot: snapshot.id }), SECOND);
  await refused(
    "already-initialized",
    () => guests.create(spec("twin", { snapshot: snapshot.id }), SECOND),
  );
  await twin;
  await refused(
    "value-not-allowed",
    () => guests.create({ ...spec("h", { snapshot: snapshot.id }), engine: "kvm" }, SECOND),
  );
});

Deno.test("Guests.create() refuses a snapshot that is unknown or damaged", async () => {
  const { guests, store, engines } = house();
  const { guest, ownerToken } = await guests.create(spec("g"), FIRST);
  await guest.pause();
  const { id } = await guests.snapshot("g", ownerToken);
  await refused("snapshot-not-found", () => guests.create(spec("h", { snapshot: "none" }), SECOND));
  const bytes = store.kept.get(id) as Uint8Array<ArrayBuffer>;
  bytes[bytes.length - 1] = (bytes[bytes.length - 1] ?? 0) ^ 1;
  await refused("snapshot-damaged", () => guests.create(spec("h", { snapshot: id }), SECOND));
  assertEquals(engines.length, 1);
  assertEquals(guests.memoryBytes, 16 * PAGE_BYTES);
});

Deno.test("Guests.delete() wants the owner or force, and an unknown id is no error (case 30)", async () => {
  const { guests, engines } = house();
  const { guest, ownerToken } = await guests.create(spec("g"), FIRST);
  const by = (token: string | undefined, force = false) => ({ ownerToken: token, force });
  assertEquals(assertThrows(() => guests.delete("g", by(undefined)), Fault).code, "not-owner");
  guests.delete("g", by(ownerToken));
  guests.delete("g", by(ownerToken));
  assertEquals(engines[0]?.closed, 1);
  assertEquals(guest.state, "dead");
  assertEquals(guests.memoryBytes, 0);
});

Deno.test("Guests.close() ends all guests, those in the making too", async () => {
  const { guests, engines } = house();
  await guests.create(spec("one"), FIRST);
  const making = refused("shutting-down", () => guests.create(spec("two"), FIRST));
  guests.close();
  await making;
  assert(engines.every(({ closed }) => closed === 1));
  await refused("shutting-down", () => guests.create(spec("three"), FIRST));
});

Deno.test("Snapshots tells a full disk from one that fails", async () => {
  const { guests, store } = house();
  const { guest, ownerToken } = await guests.create(spec("g"), FIRST);
  await guest.pause();
  store.failing = new SystemError("ENOSPC", "write", "s");
  await refused("snapshots-exhausted", () => guests.snapshot("g", ownerToken));
  store.failing = new SystemError("EIO", "write", "s");
  await refused("state-unavailable", () => guests.snapshot("g", ownerToken));
});

Deno.test("Snapshots.summary() shows a damaged snapshot as such, and none that is gone", async () => {
  const { guests, store } = house();
  store.kept.set("bad", new Uint8Array(100));
  assertEquals(await guests.snapshots.summary("bad"), { id: "bad", fault: "snapshot-damaged" });
  assertEquals(await guests.snapshots.summary("gone"), undefined);
});
