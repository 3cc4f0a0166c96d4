import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Fault, type FaultCode } from "../../../src/core/faults.ts";
import { ENGINE_STOP_MS, PAGE_BYTES } from "../../../src/core/limits.ts";
import type { GuestExit } from "../../../src/core/ports/guest_engine.ts";
import { SystemError } from "../../../src/core/system_error.ts";
import { Guest } from "../../../src/guests/guest/guest.ts";
import { FakeClock } from "../../support/clock.ts";
import { CollectedEvents } from "../../support/events.ts";
import { type ContractPrograms, FAKE_PROGRAMS, FakeEngine } from "../../support/guest_engine.ts";

const IDENTITY = { generation: 1, epoch: 1n, unique: "00".repeat(16) };

async function made(
  program: keyof ContractPrograms,
): Promise<{ guest: Guest; engine: FakeEngine; clock: FakeClock; events: CollectedEvents }> {
  const engine = new FakeEngine();
  const clock = new FakeClock();
  const memoryBytes = 16 * PAGE_BYTES;
  await engine.initialize({
    memoryBytes,
    start: 0x1000,
    load: [{ at: 0x1000, bytes: FAKE_PROGRAMS[program] }],
    identity: IDENTITY,
  });
  const events = new CollectedEvents();
  const guest = new Guest({
    kind: "bare",
    id: "g",
    scope: "s",
    memoryBytes,
    createdNs: 0n,
    identity: IDENTITY,
    ownerToken: "a",
    engine,
    clock,
    events,
  });
  return { guest, engine, clock, events };
}

const turn = () => new Promise((resolve) => setTimeout(resolve, 0));

async function refused(code: FaultCode, call: () => Promise<unknown>): Promise<Fault> {
  const fault = await assertRejects(call, Fault);
  assertEquals(fault.code, code, fault.message);
  return fault;
}

Deno.test("Guest.run() keeps the last exit and counts notifies (case 14)", async () => {
  const { guest, clock } = await made("hello");
  assertEquals(guest.exit, undefined);
  assertEquals(await guest.run(1000), { reason: "notify", value: 0x600d });
  assertEquals(guest.exit, { reason: "notify", value: 0x600d });
  assertEquals(guest.state, "ready");
  assertEquals(await guest.run(10), { reason: "budget" });
  assertEquals(guest.exit, { reason: "budget" });
  assertEquals(guest.notifies, 1);
  assertEquals(clock.pending, 0);
});

Deno.test("Guest.run() refuses a second run at a time (case 25)", async () => {
  const { guest } = await made("spin");
  const first = guest.run(20);
  assertEquals(guest.state, "running");
  await refused("already-running", () => guest.run(20));
  await refused("wrong-state", () => guest.registers.all());
  await refused("wrong-state", () => guest.memory.read(0n, 1));
  await refused("wrong-state", () => guest.memory.write(0n, Uint8Array.of(1)));
  await refused("wrong-state", () => guest.capture());
  await first;
  assertEquals(await guest.run(20), { reason: "budget" });
});

Deno.test("Guest.run() is interrupted by its signal, also one that has fired (cases 27, 28)", async () => {
  const { guest } = await made("spin");
  const client = new AbortController();
  const run = guest.run(60_000, client.signal);
  await turn();
  client.abort();
  assertEquals(await run, { reason: "interrupted" });
  const { cx } = await guest.registers.all();
  assertEquals(await guest.run(60_000, client.signal), { reason: "interrupted" });
  await guest.run(5);
  assert((await guest.registers.all()).cx > cx);
});

Deno.test("Guest.interrupt() checks the line, and death first (cases 4, 24)", async () => {
  const { guest } = await made("hello");
  guest.interrupt(0);
  guest.interrupt(31);
  for (const line of [32, -1, 1.5]) {
    assertEquals(assertThrows(() => guest.interrupt(line), Fault).code, "line-out-of-range");
  }
  guest.die({ reason: "first", errno: "ENOENT" });
  assertEquals(assertThrows(() => guest.interrupt(32), Fault).code, "guest-dead");
});

Deno.test("Guest says why it is dead, every time, and the first reason only (cases 22, 24)", async () => {
  const { guest, engine } = await made("crash");
  const exit = await guest.run(1000);
  assertEquals(exit, { reason: "dead", deathReason: "unhandled trap 6 at 0x1000" });
  assertEquals(guest.state, "dead");
  guest.die({ reason: "later", errno: "EIO" });
  for (let i = 0; i < 2; i++) {
    const fault = await refused("guest-dead", () => guest.run(1000));
    assertEquals(fault.members, { deathReason: "unhandled trap 6 at 0x1000" });
  }
  await refused("guest-dead", () => guest.registers.all());
  await refused("guest-dead", () => guest.registers.set(new Map([["nonsense", 0n]])));
  await refused("guest-dead", () => guest.pause());
  assertEquals(engine.closed, 1);
});

Deno.test("Guest.run() tells a restart by its errno, not a text (case 22)", async () => {
  const { guest } = await made("shutdown");
  await guest.registers.set(new Map([["di", 2n]]));
  assertEquals(await guest.run(1000), { reason: "reboot" });
  assertEquals(guest.death, { reason: "reboot", errno: "ERESTART" });
});

Deno.test("Guest.pause() is idempotent, and interrupts a run (case 39)", async () => {
  const { guest } = await made("spin");
  const run = guest.run(60_000);
  await turn();
  await Promise.all([guest.pause(), guest.pause()]);
  assertEquals(await run, { reason: "interrupted" });
  assertEquals(guest.state, "paused");
  await guest.pause();
  const fault = await refused("wrong-state", () => guest.run(10));
  assertEquals(fault.members, { state: "paused", allowed: ["ready"] });
  await guest.unpause();
  await guest.unpause();
  assertEquals(guest.state, "ready");
  assertEquals(await guest.run(10), { reason: "budget" });
});

Deno.test("Guest.unpause() takes back a pause that a run has not yet followed", async () => {
  const { guest } = await made("spin");
  const run = guest.run(60_000);
  await Promise.all([guest.pause(), guest.unpause(), run]);
  assertEquals(guest.state, "ready");
});

Deno.test("Guest.capture() lets nothing change the guest until it is done", async () => {
  const { guest, engine } = await made("hello");
  await guest.pause();
  const { promise, resolve } = Promise.withResolvers<void>();
  const capture = engine.capture.bind(engine);
  engine.capture = () => promise.then(capture);
  const captured = guest.capture();
  await refused("wrong-state", () => guest.memory.write(0n, new Uint8Array(1)));
  await refused("wrong-state", () => guest.registers.set(new Map([["ax", 1n]])));
  await refused("wrong-state", () => guest.unpause());
  await refused("wrong-state", () => guest.start());
  resolve();
  await captured;
  await guest.memory.write(0n, new Uint8Array(1));
  await guest.unpause();
  assertEquals((await guest.run(1000)).reason, "notify");
});

Deno.test("Guest.capture() wants a paused guest (case 40)", async () => {
  const { guest } = await made("hello");
  await guest.run(1000);
  await refused("wrong-state", () => guest.capture());
  await guest.pause();
  assertEquals((await guest.capture()).image.memoryBytes, 16 * PAGE_BYTES);
});

Deno.test("Guest.setRegisters() sets all or none (cases 18, 19)", async () => {
  const { guest } = await made("hello");
  const before = await guest.registers.all();
  for (
    const [name, value, code] of [
      ["cs", 1n, "register-read-only"],
      ["flags", 1n, "register-read-only"],
      ["orig_ax", 1n, "register-unknown"],
      ["constructor", 1n, "register-unknown"],
      ["ax", 1n << 32n, "value-not-allowed"],
      ["ax", -1n, "value-not-allowed"],
    ] as const
  ) {
    await refused(code, () => guest.registers.set(new Map([["bx", 5n], [name, value]])));
  }
  assertEquals(await guest.registers.all(), before);
  await guest.registers.set(new Map([["ax", 0xffff_ffffn], ["sp", 1n]]));
  const { ax, sp } = await guest.registers.all();
  assertEquals([ax, sp], [0xffff_ffffn, 1n]);
});

Deno.test("Guest.read() and write() stay within its memory, and it lives (case 20)", async () => {
  const { guest } = await made("hello");
  assertEquals((await guest.memory.read(0n, 65536)).length, 65536);
  assertEquals((await guest.memory.read(65535n, 1)).length, 1);
  for (const [at, length] of [[65535n, 2], [65536n, 1], [0xffff_ffffn, 2], [-1n, 1]] as const) {
    await refused("address-out-of-range", () => guest.memory.read(at, length));
    await refused("address-out-of-range", () => guest.memory.write(at, new Uint8Array(length)));
  }
  assertEquals(guest.state, "ready");
});

Deno.test("Guest.die() ends a run in progress as dead (case 30)", async () => {
  const { guest, engine } = await made("spin");
  const run = refused("guest-dead", () => guest.run(60_000));
  await turn();
  guest.die({ reason: "deleted", errno: "ENOENT" });
  assertEquals((await run).members, { deathReason: "deleted" });
  assertEquals(engine.closed, 1);
});

Deno.test("Guest dies with its engine", async () => {
  const { guest, engine } = await made("hello");
  engine.failing = new SystemError("ENODEV", "run v86", "out of memory");
  await refused("guest-dead", () => guest.registers.all());
  assertEquals(guest.death?.errno, "ENODEV");
});

Deno.test("Guest.run() gives up an engine that does not answer in time", async () => {
  const { guest, clock } = await made("spin");
  const run = refused("guest-dead", () => guest.run(60_000));
  await turn();
  clock.advance(60_000 + ENGINE_STOP_MS - 1);
  assertEquals(guest.state, "running");
  clock.advance(1);
  assertEquals((await run).members, { deathReason: "engine failed: the engine does not answer" });
  assertEquals(clock.pending, 0);
});

Deno.test("Guest.start() runs in the background and tells how it ended (case 39)", async () => {
  const { guest, events } = await made("hello");
  await guest.start();
  assertEquals(guest.state, "running");
  await guest.start();
  await refused("already-running", () => guest.run(10));
  while (guest.state === "running") await turn();
  await turn();
  assertEquals(guest.exit, { reason: "notify", value: 0x600d });
  assertEquals(events.facts, [
    { kind: "guest.started", subject: "g", data: { background: true } },
    { kind: "guest.notify", subject: "g", data: { address: 0x600d } },
  ]);
});

Deno.test("Guest.start() goes on when a budget ends, until it is stopped", async () => {
  const { guest, engine, events } = await made("spin");
  let runs = 0;
  const run = engine.run.bind(engine);
  engine.run = () => (runs++, run(5));
  await guest.start();
  while (runs < 3) await turn();
  assertEquals(guest.state, "running");
  await guest.pause();
  await turn();
  assertEquals(guest.state, "paused");
  assertEquals(events.kinds, ["guest.started", "guest.paused", "guest.exited"]);
  await guest.start();
  assertEquals(guest.state, "running");
  await guest.unpause();
  assertEquals(guest.state, "ready");
});

Deno.test("Guest.pause() holds when the budget ends before the interrupt comes", async () => {
  const { guest, engine } = await made("spin");
  const end = Promise.withResolvers<GuestExit>();
  engine.run = () => end.promise;
  await guest.start();
  const pause = guest.pause();
  engine.run = () => Promise.reject(new Error("it must not run again"));
  end.resolve({ reason: "budget" });
  await pause;
  assertEquals(guest.state, "paused");
});

Deno.test("Guest.start() of a guest that is being paused waits and wins", async () => {
  const { guest } = await made("spin");
  await guest.start();
  await Promise.all([guest.pause().catch(() => {}), guest.start()]);
  assertEquals(guest.state, "running");
  await guest.unpause();
});

Deno.test("Guest tells when it first runs, is paused, changed and dies", async () => {
  const { guest, events } = await made("shutdown");
  await guest.registers.set(new Map([["di", 1n]]));
  await guest.memory.write(0x3000n, Uint8Array.of(65, 0));
  await guest.pause();
  await guest.pause();
  await guest.unpause();
  await guest.run(1000);
  await guest.run(1000).catch(() => {});
  guest.dismiss();
  assertEquals(events.kinds, [
    "guest.changed",
    "guest.changed",
    "guest.paused",
    "guest.unpaused",
    "guest.started",
    "guest.dead",
  ]);
  assertEquals(events.facts.at(-1)?.reason, "CRASH: A");
});

Deno.test("Guest.channels counts what the engine tells, and ends with the guest (cases 13, 24)", async () => {
  const { guest, events } = await made("hello");
  await guest.channels.attach(0x600dn);
  assertEquals(await guest.run(10), { reason: "budget" });
  assertEquals(guest.channels.get(0x600dn).count, 1);
  await guest.channels.drain(0x600dn, { waitMs: 0 });
  const waiting = refused("guest-dead", () => guest.channels.drain(0x600dn, { waitMs: 1000 }));
  guest.die({ reason: "tired", errno: "ENOENT" });
  await waiting;
  await refused("guest-dead", () => guest.channels.attach(1n));
  assertEquals(events.kinds, ["guest.attached", "guest.started", "guest.dead"]);
});

Deno.test("Guest.identify() reaches a guest that runs and one that does not", async () => {
  const { guest } = await made("hello");
  await guest.run(1000);
  guest.identify({ ...IDENTITY, generation: 5 });
  assertEquals(guest.identity.generation, 5);
  guest.interrupt(1);
  assertEquals(await guest.run(1000), { reason: "notify", value: 1 });
  assertEquals((await guest.registers.all()).cx, 5n);
  guest.die({ reason: "tired", errno: "ENOENT" });
  guest.identify({ ...IDENTITY, generation: 6 });
  assertEquals(guest.identity.generation, 5);
});

Deno.test("Guest gives up an engine that does not answer an interrupt", async () => {
  const { guest, engine, clock } = await made("spin");
  engine.interrupt = () => {};
  await guest.start();
  const pause = refused("guest-dead", () => guest.pause());
  clock.advance(ENGINE_STOP_MS);
  await pause;
  assertEquals(guest.death?.reason, "engine failed: the engine does not answer an interrupt");
  assertEquals(clock.pending, 0);
});
