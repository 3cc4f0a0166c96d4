import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Fault, type FaultCode } from "../../src/core/faults.ts";
import { LEASE_MS_DEFAULT } from "../../src/core/limits.ts";
import type { LiveScope } from "../../src/generations/live_scope.ts";
import { ScopesBench } from "../support/scopes.ts";

const request = { reason: "restore", by: "test" };

async function refused(code: FaultCode, promise: Promise<unknown>): Promise<Fault> {
  const fault = await assertRejects(() => promise, Fault);
  assertEquals(fault.code, code, fault.message);
  return fault;
}

async function one(bench = new ScopesBench(), options = {}): Promise<LiveScope> {
  return (await bench.withScope("vm-7", options)).get("vm-7");
}

const names = (fault: Fault): string[] =>
  (fault.members["watchers"] as { name: string }[]).map(({ name }) => name);

Deno.test("ScopeWatchers.leave() holds a tracked watcher until its lease ends; then it is lost, named, and blocks (case 10, docs/generations.md#8)", async () => {
  const bench = new ScopesBench();
  const scope = await one(bench);
  const { watcher: { id } } = await scope.watchers.watch({ name: "a", track: true, leaseMs: 500 });
  const other = await scope.watchers.watch({ name: "b", track: true });
  await scope.bump(request);
  scope.watchers.ack(other.watcher.id, 1);
  await scope.watchers.leave(id, scope.state.watcher(id).tokenHash);
  assertEquals(scope.state.watcher(id).presence, "held");
  await refused("watchers-outdated", scope.barrier({}, { waitMs: 0 }));
  const waiting = scope.barrier({}, { waitMs: 10_000 });
  waiting.catch(() => {});
  bench.clock.advance(499);
  assertEquals(scope.state.watcher(id).presence, "held");
  bench.clock.advance(1);
  const fault = await refused("watchers-lost", waiting);
  assertEquals(names(fault), ["a"]);
  assertEquals(bench.events.kinds.filter((kind) => /held|lost/.test(kind)), [
    "watcher.held",
    "watcher.lost",
  ]);
});

Deno.test("LiveScope.barrier() answers at once when a confirmation leaves only lost watchers", async () => {
  for (const leaves of ["ack", "release"] as const) {
    const bench = new ScopesBench();
    const scope = await one(bench);
    const a = await scope.watchers.watch({ name: "a", track: true, leaseMs: 500 });
    const b = await scope.watchers.watch({ name: "b", track: true });
    await scope.bump(request);
    await scope.watchers.leave(a.watcher.id, a.watcher.tokenHash);
    bench.clock.advance(500);
    const waiting = scope.barrier({}, { waitMs: 10_000 });
    waiting.catch(() => {});
    if (leaves === "ack") scope.watchers.ack(b.watcher.id, 1);
    else await scope.watchers.release(b.watcher.id);
    bench.clock.advance(20_000);
    assertEquals(names(await refused("watchers-lost", waiting)), ["a"]);
  }
});

Deno.test("LiveScope.barrier() passes lost watchers where the scope says so, and names them", async () => {
  const bench = new ScopesBench();
  const scope = await one(bench, { onLost: "open" });
  const a = await scope.watchers.watch({ name: "a", track: true, leaseMs: 500 });
  const b = await scope.watchers.watch({ name: "b", track: true });
  await scope.bump(request);
  await scope.watchers.leave(a.watcher.id, a.watcher.tokenHash);
  bench.clock.advance(500);
  await refused("watchers-outdated", scope.barrier({}, { waitMs: 0 }));
  scope.watchers.ack(b.watcher.id, 1);
  const open = await scope.barrier({}, { waitMs: 0 });
  assertEquals(open.lost.map(({ name }) => name), ["a"]);
});

Deno.test("ScopeWatchers.watch() brings a lost watcher back by its token", async () => {
  const bench = new ScopesBench();
  const scope = await one(bench);
  const { watcher: { id }, token } = await scope.watchers.watch({ name: "a", track: true });
  await scope.watchers.leave(id, scope.state.watcher(id).tokenHash);
  bench.clock.advance(LEASE_MS_DEFAULT);
  assertEquals(scope.state.watcher(id).presence, "lost");
  const back = await scope.watchers.watch({ name: "a", track: true, token });
  assertEquals([back.resumed, scope.state.watcher(id).presence], [true, "connected"]);
  bench.clock.advance(LEASE_MS_DEFAULT * 2);
  assertEquals(scope.state.watcher(id).presence, "connected");
});

Deno.test("ScopeWatchers.watch() back over a second connection: the end of the first takes nothing along (docs/generations.md#8)", async () => {
  for (const onDisconnect of ["hold", "forget"] as const) {
    const bench = new ScopesBench();
    const scope = await one(bench, { onDisconnect, onLost: "open" });
    const first = await scope.watchers.watch({ name: "a", track: true, leaseMs: 300 });
    const { id, tokenHash } = first.watcher;
    // A socket ends within the notification, too.
    scope.listen(({ kind }) => kind === "taken" && void scope.watchers.leave(id, tokenHash));
    await scope.watchers.watch({ name: "a", track: true, token: first.token });
    await scope.bump(request);
    bench.clock.advance(1000);
    assertEquals(scope.state.watcher(id).presence, "connected");
    await refused("watchers-outdated", scope.barrier({}, { waitMs: 0 }));
  }
});

Deno.test("ScopeWatchers.watch() back with a token takes over what it asks for: name, lease, tracking", async () => {
  const bench = new ScopesBench();
  const scope = await one(bench);
  const { token } = await scope.watchers.watch({ name: "a", track: false });
  const second = { name: "b", track: true, leaseMs: 7, token };
  const { watcher, resumed } = await scope.watchers.watch(second);
  assertEquals([resumed, watcher.name, watcher.tracked, watcher.leaseMs], [true, "b", true, 7]);
  assertEquals((await bench.ledger.load("watcher")).length, 1);
  await scope.bump(request);
  await refused("watchers-outdated", scope.barrier({}, { waitMs: 0 }));
});

Deno.test("ScopeWatchers.ack() written late does not bring a spent token back", async () => {
  const bench = new ScopesBench();
  const scope = await one(bench);
  const first = await scope.watchers.watch({ name: "a", track: true });
  await scope.bump(request);
  scope.watchers.ack(first.watcher.id, 1);
  const epoch = 1n;
  const returning = { name: "a", track: true, epoch };
  const second = await scope.watchers.watch({ ...returning, token: first.token });
  bench.clock.advance(1000);
  await scope.close();
  const after = (await bench.open()).get("vm-7");
  const back = await after.watchers.watch({ ...returning, token: second.token });
  assertEquals([back.resumed, back.watcher.ackedEpoch], [true, 1n]);
  const spent = await after.watchers.watch({ name: "a", track: true, token: first.token });
  assertEquals(spent.resumed, false);
});

Deno.test("ScopeWatchers.read() that waits keeps the watcher's lease from running out", async () => {
  const bench = new ScopesBench();
  const scope = await one(bench);
  await scope.watchers.put("a", { track: true, leaseMs: 100 });
  const reading = scope.watchers.read("a", 1000);
  bench.clock.advance(999);
  assertEquals(scope.state.watcher("a").presence, "connected");
  bench.clock.advance(1);
  assertEquals(await reading, undefined);
  bench.clock.advance(100);
  assertEquals(scope.state.watcher("a").presence, "lost");
});

Deno.test("Scopes.delete() waits for who is on the way in, and leaves no entry of them", async () => {
  const bench = new ScopesBench();
  const scopes = await bench.withScope("vm-7");
  const scope = scopes.get("vm-7");
  const joining = scope.watchers.watch({ name: "a", track: true });
  const deleting = scopes.delete("vm-7", true);
  await Promise.allSettled([joining, deleting]);
  await deleting;
  assertEquals(await bench.ledger.load("watcher"), []);
});

Deno.test("Scopes.delete() that is refused lets watchers in again", async () => {
  const scopes = await new ScopesBench().withScope("vm-7");
  await scopes.get("vm-7").watchers.watch({ name: "a", track: true });
  await refused("scope-in-use", scopes.delete("vm-7", false));
  await scopes.get("vm-7").watchers.watch({ name: "b", track: true });
});

Deno.test("Scopes.put() whose page cannot be published keeps nothing of it", async () => {
  const bench = new ScopesBench();
  const scopes = await bench.open();
  const { open } = bench.pages;
  bench.pages.open = (scope, name, initial) => {
    if (scope === "bad") throw new Fault("page-unusable", "a folder is in its place");
    return open.call(bench.pages, scope, name, initial);
  };
  await refused("page-unusable", scopes.put("bad", scopes.get("system").state.options));
  assert(!(await bench.open()).has("bad"));
});

Deno.test("Scope with onLost open settles when only lost watchers are left, and says so", async () => {
  const bench = new ScopesBench();
  const scope = await one(bench, { onLost: "open" });
  const a = await scope.watchers.watch({ name: "a", track: true, leaseMs: 500 });
  await scope.bump(request);
  await scope.watchers.leave(a.watcher.id, a.watcher.tokenHash);
  const notified: string[] = [];
  scope.listen(({ kind }) => notified.push(kind));
  bench.clock.advance(500);
  assertEquals([scope.state.phase, notified], ["running", ["settled", "blocked"]]);
});

Deno.test("Scope does not count a watcher as standing still that came back in a quiesce", async () => {
  const scope = await one();
  const { watcher, token } = await scope.watchers.watch({ name: "a", track: true });
  await scope.beginQuiesce({ reason: "snapshot", maxMs: 1000 });
  scope.watchers.quiesced(watcher.id);
  assertEquals(scope.state.phase, "quiesced");
  await scope.watchers.watch({ name: "a", track: true, token });
  assertEquals(scope.state.phase, "quiescing");
});

Deno.test("Scopes.open() gives held watchers a fresh lease after a restart (docs/generations.md#9)", async () => {
  const bench = new ScopesBench();
  const before = await one(bench);
  const { watcher: { id } } = await before.watchers.watch({ name: "a", track: true, leaseMs: 700 });
  await before.close();
  bench.clock.advance(5_000);
  const after = (await bench.open()).get("vm-7");
  bench.clock.advance(699);
  assertEquals(after.state.watcher(id).presence, "held");
  bench.clock.advance(1);
  assertEquals(after.state.watcher(id).presence, "lost");
});

Deno.test("ScopeWatchers.fail() answers the barrier at once with the reason; a later exact ack clears it", async () => {
  const scope = await one();
  const { watcher: { id } } = await scope.watchers.watch({ name: "a", track: true });
  await scope.bump(request);
  const waiting = scope.barrier({}, { waitMs: 10_000 });
  waiting.catch(() => {});
  scope.watchers.fail(id, 1, "no entropy");
  const fault = await refused("watchers-failed", waiting);
  assert(fault.message.includes("a (no entropy)"), fault.message);
  scope.watchers.ack(id, 1);
  assertEquals((await scope.barrier({}, { waitMs: 0 })).generation, 1);
  assertEquals(
    assertThrows(() => scope.watchers.fail(id, 1, "x"), Fault).code,
    "already-confirmed",
  );
});

Deno.test("ScopeWatchers.fail() refuses a generation that is past, and a bump forgets the failure", async () => {
  const scope = await one();
  const { watcher: { id } } = await scope.watchers.watch({ name: "a", track: true });
  await scope.bump(request);
  assertEquals(assertThrows(() => scope.watchers.fail(id, 0, "x"), Fault).code, "stale-generation");
  scope.watchers.fail(id, 1, "x");
  await scope.bump(request);
  await refused("watchers-outdated", scope.barrier({}, { waitMs: 0 }));
});

Deno.test("ScopeWatchers.put() registers a watcher over HTTP, whose calls renew its lease", async () => {
  const bench = new ScopesBench();
  const scope = await one(bench);
  const made = await scope.watchers.put("cron", { track: true, leaseMs: 500 });
  assertEquals([made.created, made.watcher.tracked], [true, true]);
  for (let n = 0; n < 5; n++) {
    bench.clock.advance(400);
    scope.watchers.touch("cron");
  }
  assertEquals(scope.state.watcher("cron").presence, "connected");
  bench.clock.advance(500);
  assertEquals(scope.state.watcher("cron").presence, "lost");
  const again = await scope.watchers.put("cron", { track: true });
  assertEquals([again.created, again.watcher.presence], [false, "connected"]);
  await refused("value-not-allowed", scope.watchers.put("w-0011223344556677", { track: true }));
});

Deno.test("ScopeWatchers.put() lets an untracked watcher go when its lease ends", async () => {
  const bench = new ScopesBench();
  const scope = await one(bench);
  await scope.watchers.put("peek", { track: false, leaseMs: 500 });
  bench.clock.advance(500);
  await Promise.resolve();
  await scope.configure(scope.state.options);
  assert(!scope.state.has("peek"));
});

Deno.test("ScopeWatchers.read() gives the generation every time until it is confirmed (cases 4, 5)", async () => {
  const scope = await one();
  await scope.bump(request);
  await scope.watchers.put("a", { track: true });
  assertEquals(await scope.watchers.read("a", 0), undefined);
  await scope.bump(request);
  for (let n = 0; n < 3; n++) {
    assertEquals((await scope.watchers.read("a", 0))?.generation, 2);
  }
  scope.watchers.ack("a", 2);
  assertEquals(await scope.watchers.read("a", 0), undefined);
});

Deno.test("ScopeWatchers.read() that waits wakes once with the newest of two bumps (case 6)", async () => {
  const scope = await one();
  await scope.watchers.put("a", { track: true });
  const reading = scope.watchers.read("a", 1000);
  await Promise.all([scope.bump(request), scope.bump(request)]);
  // The reader was woken by the first; what it confirms must be what is current by now.
  const seen = (await reading)?.generation as number;
  assert(seen === 1 || seen === 2);
  assertEquals(assertThrows(() => scope.watchers.ack("a", 1), Fault).code, "stale-generation");
  scope.watchers.ack("a", 2);
});

Deno.test("ScopeWatchers.read() of a caller that goes away confirms nothing (case 27)", async () => {
  const scope = await one();
  await scope.watchers.put("a", { track: true });
  const gone = new AbortController();
  const reading = scope.watchers.read("a", 1000, gone.signal);
  gone.abort();
  assertEquals(await reading, undefined);
  await scope.bump(request);
  assertEquals(scope.state.counts.outdated, 1);
});

Deno.test("LiveScope.quiesce goes running, quiescing, quiesced, settling, running (docs/generations.md#10)", async () => {
  const scope = await one(new ScopesBench(), { requireQuiesce: true });
  const { watcher: { id } } = await scope.watchers.watch({ name: "a", track: true });
  const phases = [scope.state.phase];
  assert((await refused("not-quiesced", scope.bump(request))).message.includes("running"));
  await scope.beginQuiesce({ reason: "snapshot", maxMs: 1000 });
  phases.push(scope.state.phase);
  assertEquals(names(await refused("not-quiesced", scope.bump(request))), ["a"]);
  const waiting = scope.quiesced({ waitMs: 1000 });
  scope.watchers.quiesced(id);
  await waiting;
  phases.push(scope.state.phase);
  await scope.bump(request);
  phases.push(scope.state.phase);
  scope.watchers.ack(id, 1);
  phases.push(scope.state.phase);
  assertEquals(phases, ["running", "quiescing", "quiesced", "settling", "running"]);
});

Deno.test("LiveScope.beginQuiesce() ends by itself after its time, and says so", async () => {
  const bench = new ScopesBench();
  const scope = await one(bench);
  const { watcher: { id } } = await scope.watchers.watch({ name: "a", track: true });
  const notified: string[] = [];
  scope.listen(({ kind }) => notified.push(kind));
  await scope.beginQuiesce({ reason: "snapshot", maxMs: 1000 });
  const waiting = scope.quiesced({ waitMs: 5000 });
  waiting.catch(() => {});
  bench.clock.advance(1000);
  await refused("not-quiescing", waiting);
  assertEquals([scope.state.phase, notified], ["running", ["quiesce", "unquiesce"]]);
  assertEquals(bench.events.kinds.at(-1), "scope.unquiesced");
  assertEquals(assertThrows(() => scope.watchers.quiesced(id), Fault).code, "not-quiescing");
});

Deno.test("LiveScope.bump() by force goes past an unquiesced scope, and ends a quiesce", async () => {
  const bench = new ScopesBench();
  const scope = await one(bench, { requireQuiesce: true });
  await scope.watchers.watch({ name: "a", track: true });
  await scope.beginQuiesce({ reason: "snapshot", maxMs: 1000 });
  await scope.bump({ ...request, force: true });
  assertEquals([scope.state.phase, scope.state.quiesce], ["settling", undefined]);
  bench.clock.advance(5_000);
  assert(!bench.events.kinds.includes("scope.unquiesced"));
});

Deno.test("LiveScope.history names reason, caller, who was outdated and how long it took", async () => {
  const bench = new ScopesBench();
  const scope = await one(bench);
  const { watcher: { id } } = await scope.watchers.watch({ name: "a", track: true });
  await scope.bump({ reason: "first", by: "ann" });
  await scope.bump({ reason: "second", by: "bob" });
  bench.clock.advance(25);
  scope.watchers.ack(id, 2);
  const past = scope.history.map(({ bump, outdated, tookMs }) => [bump.reason, outdated, tookMs]);
  assertEquals(past, [["second", 1, 25], ["first", 1, undefined]]);
});

Deno.test("ScopeWatchers races of close and ack count a watcher down once (case 16)", async () => {
  const scope = await one();
  for (let round = 0; round < 10_000; round++) {
    const { watcher: { id } } = await scope.watchers.watch({ name: "a", track: true });
    const { bump } = await scope.bump(request);
    const closing = scope.watchers.release(id);
    if (round % 2 === 0) scope.watchers.ack(id, bump.generation);
    await closing;
    assertEquals(scope.state.counts, { watchers: 0, tracked: 0, outdated: 0 });
  }
});

Deno.test("ScopeWatchers races of two that switch tracking on count it once (case 17)", async () => {
  const scope = await one();
  const { watcher: { id } } = await scope.watchers.watch({ name: "a", track: false });
  for (let round = 0; round < 10_000; round++) {
    await Promise.all([scope.watchers.track(id, true), scope.watchers.track(id, true)]);
    assertEquals(scope.state.counts.tracked, 1);
    await Promise.all([scope.watchers.track(id, false), scope.watchers.track(id, false)]);
    assertEquals(scope.state.counts.tracked, 0);
  }
});

Deno.test("LiveScope.barrier() races of the last ack and the time-out end in one of the two (case 15)", async () => {
  const bench = new ScopesBench();
  const scope = await one(bench);
  const { watcher: { id } } = await scope.watchers.watch({ name: "a", track: true });
  for (let round = 0; round < 10_000; round++) {
    const { bump } = await scope.bump(request);
    const waiting = scope.barrier({}, { waitMs: 10 }).then(() => "open", (fault) => fault.code);
    const ackFirst = round % 2 === 0;
    if (ackFirst) scope.watchers.ack(id, bump.generation);
    bench.clock.advance(10);
    if (!ackFirst) scope.watchers.ack(id, bump.generation);
    assertEquals(await waiting, ackFirst ? "open" : "watchers-outdated");
  }
});

Deno.test("a watcher that comes back without a word on tracking stays tracked; only an explicit word untracks it", async () => {
  const bench = new ScopesBench();
  const scope = await one(bench);
  const process = bench.processes.start();
  const first = await scope.watchers.watch({ name: "a", track: true, process });
  await scope.bump(request);
  const second = await scope.watchers.watch({ name: "a", token: first.token, process });
  assertEquals([second.resumed, second.watcher.tracked, scope.state.isSettled], [
    true,
    true,
    false,
  ]);
  const third = await scope.watchers.watch({
    ...{ name: "a", track: false, token: second.token, process },
  });
  assertEquals([third.watcher.tracked, scope.state.isSettled], [false, true]);
});
