import { assert, assertEquals, assertRejects } from "@std/assert";
import { Fault } from "../../src/core/faults.ts";
import { Innkeeper, type InnkeeperParts } from "../../src/daemon/innkeeper.ts";
import { Guests } from "../../src/guests/guests.ts";
import type { Pages } from "../../src/generations/pages.ts";
import { DEFAULT_OPTIONS } from "../../src/generations/scope_options.ts";
import type { Scopes } from "../../src/generations/scopes.ts";
import { FAKE_PROGRAMS, FakeEngine } from "../support/guest_engine.ts";
import { Reseeders } from "../../src/sessions/reseeders.ts";
import { guestFiles } from "../support/guest_files.ts";
import { ScopesBench } from "../support/scopes.ts";
import { MemorySnapshots } from "../support/snapshot_store.ts";

const ADMIN = { ownerToken: undefined, force: true };
const BARE = {
  pfnLimit: 16,
  start: 0x1000n,
  load: [{ at: 0x1000n, bytes: FAKE_PROGRAMS.hello }],
};

interface Joined {
  readonly innkeeper: Innkeeper;
  readonly scopes: Scopes;
  readonly bench: ScopesBench;
}

async function joined(prepare: (engine: FakeEngine) => void = () => {}): Promise<Joined> {
  const bench = new ScopesBench();
  const scopes = await bench.open();
  const v86 = (): FakeEngine => {
    const engine = new FakeEngine();
    prepare(engine);
    return engine;
  };
  const guests = await Guests.open({
    engines: { v86 },
    files: guestFiles(),
    snapshots: new MemorySnapshots(),
    ledger: bench.ledger,
    events: bench.events,
    clock: bench.clock,
    random: bench.random,
  });
  // Devices and inodes have no part in this.
  const innkeeper = new Innkeeper(
    { scopes, guests, reseeders: new Reseeders() } as Partial<InnkeeperParts> as InnkeeperParts,
  );
  return { innkeeper, scopes, bench };
}

const hello = { name: "g", engine: "auto", scope: "vm-7", bare: BARE } as const;
const bump = (scopes: Scopes) => scopes.get("vm-7").bump({ reason: "test", by: "test" });

Deno.test("Innkeeper.createGuest() shows a live guest every later bump of its scope", async () => {
  const { innkeeper, scopes } = await joined();
  const { guest } = await innkeeper.createGuest(hello, "test");
  await guest.run(1000);
  await bump(scopes);
  const { bump: { generation } } = await bump(scopes);
  assertEquals(guest.identity.generation, generation);
  guest.interrupt(1);
  await guest.run(1000);
  assertEquals((await guest.registers.all()).cx, BigInt(generation));
});

Deno.test("Innkeeper.createGuest() makes one guest of a name, and does nothing for a second caller", async () => {
  const { innkeeper, scopes } = await joined();
  const { guest, ownerToken } = await innkeeper.createGuest(hello, "test");
  await guest.pause();
  const { id } = await innkeeper.guests.snapshot("g", ownerToken);
  const { generation } = scopes.get("vm-7").state.current;
  const { bare: _, ...like } = hello;
  const clone = { ...like, name: "clone", snapshot: id };
  const made = await Promise.allSettled([1, 2].map(() => innkeeper.createGuest(clone, "test")));
  assertEquals(made.map(({ status }) => status), ["fulfilled", "rejected"]);
  assertEquals((made[1] as PromiseRejectedResult).reason.code, "already-initialized");
  assertEquals(scopes.get("vm-7").state.current.generation, generation + 1);
  await assertRejects(() => innkeeper.createGuest(clone, "test"), Fault, "exists already");
});

Deno.test("a clone's own scope expects whom the original's expects, before the clone is bumped", async () => {
  const { innkeeper, scopes } = await joined();
  const { guest, ownerToken } = await innkeeper.createGuest(hello, "test");
  await scopes.put("vm-7", { ...DEFAULT_OPTIONS, expect: ["app"], atLeast: 1, onLost: "open" });
  await guest.pause();
  const { id } = await innkeeper.snapshotGuest("g", ownerToken);
  await innkeeper.createGuest({ name: "clone", engine: "auto", snapshot: id }, "test");
  const { state } = scopes.get("clone");
  assertEquals(state.options, scopes.get("vm-7").state.options);
  assertEquals([state.phase, state.unmet().names], ["settling", ["app"]]);
  await scopes.put("theirs", DEFAULT_OPTIONS);
  await innkeeper.createGuest({ name: "b", engine: "auto", scope: "theirs", snapshot: id }, "test");
  assertEquals(scopes.get("theirs").state.options, DEFAULT_OPTIONS);
});

Deno.test("Innkeeper.createGuest() shows a bump that came while the guest was made", async () => {
  const late: { scopes?: Scopes } = {};
  const made = await joined((engine) => {
    const initialize = engine.initialize.bind(engine);
    engine.initialize = async (start) => {
      if (late.scopes !== undefined) await bump(late.scopes);
      await initialize(start);
    };
  });
  const { scopes } = made;
  late.scopes = scopes;
  const { guest } = await made.innkeeper.createGuest(hello, "test");
  const { generation, epoch } = scopes.get("vm-7").state;
  assert(epoch > 0n);
  assertEquals(guest.identity.generation, generation);
});

Deno.test("Innkeeper.createGuest() stops following the scope of a guest that has ended", async () => {
  const { innkeeper, scopes } = await joined();
  const { scope } = await scopes.put("vm-7", DEFAULT_OPTIONS);
  const listen = scope.listen.bind(scope);
  let followers = 0;
  scope.listen = (listener) => {
    const stop = listen(listener);
    followers++;
    return () => (followers--, stop());
  };
  await innkeeper.createGuest(hello, "test");
  assertEquals(followers, 1);
  await innkeeper.guests.delete("g", ADMIN);
  assertEquals(followers, 0);
});

Deno.test("Innkeeper lets the scope that was made for a guest go with it, and no other", async () => {
  const { innkeeper, scopes } = await joined();
  await scopes.put("kept", DEFAULT_OPTIONS);
  const make = (name: string, scope: string | undefined) =>
    innkeeper.createGuest(
      { ...hello, name, scope } as Parameters<typeof innkeeper.createGuest>[0],
      "test",
    );
  await make("alone", undefined);
  await make("one", "shared");
  await make("two", "shared");
  await make("lodger", "kept");
  const gone = async (name: string) => {
    await innkeeper.guests.delete(name, ADMIN);
    await new Promise<void>((resolve) => setTimeout(resolve, 0));
  };
  await gone("alone");
  await gone("one");
  assertEquals([scopes.has("alone"), scopes.has("shared")], [false, true]);
  await scopes.get("shared").watchers.watch({ name: "w", track: true });
  await gone("two");
  await gone("lodger");
  assert(scopes.has("shared") && scopes.has("kept"), "a scope that others need is gone");
});

Deno.test("Innkeeper.close() leaves the scopes of guests that end with it, and takes a deletion under way in its stride", async () => {
  const { innkeeper, scopes, bench } = await joined();
  const inodes = { close: () => Promise.resolve([]) };
  Object.assign(innkeeper, { inodes });
  await innkeeper.createGuest({ ...hello, name: "g", scope: undefined }, "test");
  await scopes.put("leaving", DEFAULT_OPTIONS);
  let closes = 0;
  (scopes.get("leaving").pages as Pages).close = () => void closes++;
  await Promise.all([scopes.delete("leaving", true), innkeeper.close()]);
  assertEquals(closes, 1);
  assert((await bench.open()).has("g"));
});
