import { assert, assertEquals, assertRejects } from "@std/assert";
import { Fault } from "../../src/core/faults.ts";
import { HISTORY_BUMPS_MAX, IDEMPOTENCY_MS, REPLAYS_PURGED_MAX } from "../../src/core/limits.ts";
import type { LiveScope } from "../../src/generations/live_scope.ts";
import { ScopesBench } from "../support/scopes.ts";

const request = { reason: "restore", by: "test" };
const once = (key: string, body = "a") => ({ key, request: body });

/** A scope, and the same one in a process after it that was killed or stopped. */
async function world(): Promise<{
  bench: ScopesBench;
  scope: LiveScope;
  killed(): Promise<LiveScope>;
}> {
  const bench = new ScopesBench();
  const scope = (await bench.withScope("vm-7")).get("vm-7");
  return { bench, scope, killed: async () => (await bench.open()).get("vm-7") };
}

Deno.test("a barrier still names who failed, and why, after a kill", async () => {
  const { scope, killed } = await world();
  const { watcher } = await scope.watchers.put("gateway", { track: true });
  const { bump } = await scope.bump(request);
  await scope.watchers.fail(watcher.id, bump.generation, "no entropy");
  const again = await killed();
  const fault = await assertRejects(() => again.barrier({}, { waitMs: 0 }), Fault);
  assertEquals(fault.code, "watchers-failed");
  assert(fault.message.includes("gateway (no entropy)"), fault.message);
  // It may still adapt, and then nothing of the failure is left.
  again.watchers.ack(watcher.id, bump.generation, bump.epoch);
  await again.close();
  assertEquals((await (await killed()).barrier({}, { waitMs: 0 })).epoch, bump.epoch);
});

Deno.test("a failure that the ledger does not take shuts the barrier all the same, and is an error", async () => {
  const { bench, scope } = await world();
  const { watcher } = await scope.watchers.watch({ name: "gateway", track: true });
  const { bump } = await scope.bump(request);
  bench.ledger.failing = new Error("disk full");
  const failing = scope.watchers.fail(watcher.id, bump.generation, "no entropy");
  const fault = await assertRejects(() => failing, Fault);
  assertEquals(fault.code, "state-unavailable");
  const barrier = await assertRejects(() => scope.barrier({}, { waitMs: 0 }), Fault);
  assertEquals(barrier.code, "watchers-failed");
});

Deno.test("the history is there after a kill, with its times, as long as it is in memory", async () => {
  const { bench, scope, killed } = await world();
  const { watcher } = await scope.watchers.watch({ name: "gateway", track: true });
  for (let n = 0; n < HISTORY_BUMPS_MAX + 5; n++) {
    const { bump } = await scope.bump(request);
    bench.clock.advance(7);
    scope.watchers.ack(watcher.id, bump.generation);
  }
  await scope.bump({ reason: "last", by: "test" });
  assertEquals((await killed()).history, scope.history);
  assertEquals(scope.history.length, HISTORY_BUMPS_MAX);
  assertEquals(scope.history.slice(0, 2).map(({ tookMs }) => tookMs), [undefined, 7]);
});

Deno.test("how long the last bump took is in the ledger a little later", async () => {
  const { bench, scope, killed } = await world();
  await scope.bump(request);
  bench.clock.advance(20);
  await scope.unquiesce("waits for its turn");
  assertEquals((await killed()).history, scope.history);
  assertEquals(scope.history[0]?.tookMs, 0);
});

Deno.test("the history of a deleted scope does not come back with its name", async () => {
  const { bench, scope } = await world();
  await scope.bump(request);
  const scopes = await bench.open();
  await scopes.delete("vm-7", false);
  assertEquals(await bench.ledger.load("bump"), []);
  assertEquals((await bench.withScope("vm-7")).get("vm-7").history, []);
});

Deno.test("LiveScope.bump() with a key bumps once, over a kill too, and refuses the key for another request", async () => {
  const { scope, killed } = await world();
  await scope.watchers.watch({ name: "gateway", track: true });
  const first = await scope.bump({ ...request, once: once("k") });
  assertEquals(first.outdated, 1);
  assertEquals(await scope.bump({ ...request, once: once("k") }), first);
  const again = await killed();
  assertEquals(await again.bump({ ...request, once: once("k") }), first);
  assertEquals(again.state.epoch, first.bump.epoch);
  const fault = await assertRejects(() => again.bump({ ...request, once: once("k", "b") }), Fault);
  assertEquals(fault.code, "key-reused");
  assertEquals((await again.bump({ ...request, once: once("l") })).bump.epoch, 2n);
});

Deno.test("LiveScope.bump() that the ledger refuses leaves its key free", async () => {
  const { bench, scope } = await world();
  bench.ledger.failing = new Error("disk full");
  await assertRejects(() => scope.bump({ ...request, once: once("k") }), Fault);
  bench.ledger.failing = undefined;
  assertEquals((await scope.bump({ ...request, once: once("k") })).bump.epoch, 1n);
});

Deno.test("a key is forgotten after its time, over a kill and a set clock, and leaves the ledger", async () => {
  const { bench, scope, killed } = await world();
  for (let n = 0; n < 2 * REPLAYS_PURGED_MAX; n++) {
    await scope.bump({ ...request, once: once(`k${n}`) });
  }
  bench.clock.advance(IDEMPOTENCY_MS - 1);
  bench.clock.stepWall(-3_600_000);
  let again = await killed();
  assertEquals((await again.bump({ ...request, once: once("k0") })).bump.epoch, 1n);
  bench.clock.advance(1);
  bench.clock.stepWall(7_200_000);
  again = await killed();
  const { epoch } = again.state;
  assertEquals((await again.bump({ ...request, once: once("k0") })).bump.epoch, epoch + 1n);
  await again.bump({ ...request, once: once("k1") });
  const left = (await bench.ledger.load("replay")).map(({ id }) => id);
  assertEquals(left.toSorted(), ["k0", "k1"]);
});

Deno.test("how long a bump took is right over a set clock and a kill", async () => {
  for (const stepMs of [3_600_000, -3_600_000]) {
    const { bench, scope, killed } = await world();
    const { watcher } = await scope.watchers.put("gateway", { track: true });
    const { bump } = await scope.bump(request);
    bench.clock.advance(400);
    bench.clock.stepWall(stepMs);
    const wall = bench.clock.wallNs();
    const again = await killed();
    bench.clock.advance(600);
    again.watchers.ack(watcher.id, bump.generation);
    assertEquals(again.history[0]?.tookMs, 1_000);
    const [ack] = again.state.confirmed();
    assertEquals(ack?.ackedAtNs, wall + 600_000_000n);
  }
});

Deno.test("how long a bump took is never negative over a boot of the machine", async () => {
  const { bench, scope, killed } = await world();
  const { watcher } = await scope.watchers.put("gateway", { track: true });
  const { bump } = await scope.bump(request);
  bench.clock.monotonicId = "boot-2";
  bench.clock.stepWall(-5_000);
  const again = await killed();
  again.watchers.ack(watcher.id, bump.generation);
  assertEquals(again.history[0]?.tookMs, 0);
});

Deno.test("rows of an older version are read: no moment, no failure, no history", async () => {
  const { bench, scope, killed } = await world();
  await scope.watchers.watch({ name: "gateway", track: true });
  await scope.bump(request);
  const strip = async (kind: "scope" | "watcher", names: string[]): Promise<void> => {
    for (const { id, body } of await bench.ledger.load(kind)) {
      const left = Object.entries(body as object).filter(([name]) => !names.includes(name));
      await bench.ledger.commit([{ kind, id, body: Object.fromEntries(left) }]);
    }
  };
  await strip("scope", ["moment"]);
  await strip("watcher", ["failure"]);
  for (const { id } of await bench.ledger.load("bump")) {
    await bench.ledger.commit([{ kind: "bump", id, body: undefined }]);
  }
  const again = await killed();
  assertEquals([again.state.epoch, again.history], [1n, []]);
  const fault = await assertRejects(() => again.barrier({}, { waitMs: 0 }), Fault);
  assertEquals(fault.code, "watchers-outdated");
});
