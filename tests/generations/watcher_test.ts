import { assertEquals } from "@std/assert";
import type { LiveScope } from "../../src/generations/live_scope.ts";
import { ScopesBench } from "../support/scopes.ts";

const request = { reason: "restore", by: "test" };

async function withWatcher(bench: ScopesBench): Promise<{ scope: LiveScope; id: string }> {
  const scope = (await bench.withScope("vm-7")).get("vm-7");
  const { watcher } = await scope.watchers.watch({ name: "a", track: true, leaseMs: 500 });
  return { scope, id: watcher.id };
}

Deno.test("Watcher.outdatedSinceNs is the time of the first bump that it has not confirmed", async () => {
  const bench = new ScopesBench();
  const { scope, id } = await withWatcher(bench);
  assertEquals(scope.state.watcher(id).outdatedSinceNs, undefined);
  bench.clock.advance(10);
  const first = await scope.bump(request);
  bench.clock.advance(10);
  const second = await scope.bump(request);
  assertEquals(scope.state.watcher(id).outdatedSinceNs, first.bump.atNs);
  scope.watchers.ack(id, 2);
  assertEquals(scope.state.watcher(id).outdatedSinceNs, undefined);
  scope.watchers.ack(id, 2);
  bench.clock.advance(10);
  const third = await scope.bump(request);
  assertEquals(scope.state.watcher(id).outdatedSinceNs, third.bump.atNs);
  await scope.close();
  const after = (await bench.open()).get("vm-7");
  assertEquals(after.state.watcher(id).outdatedSinceNs, third.bump.atNs);
  assertEquals(first.bump.atNs < second.bump.atNs, true);
});

Deno.test("ScopeWatchers.notified() is of the current generation and of a watcher that is there", async () => {
  const bench = new ScopesBench();
  const { scope, id } = await withWatcher(bench);
  await scope.bump(request);
  bench.clock.advance(3);
  scope.watchers.notified(id);
  assertEquals(scope.state.watcher(id).notified, { epoch: 1n, atNs: bench.clock.wallNs() });
  scope.watchers.notified("w-gone");
  await scope.bump(request);
  assertEquals(scope.state.watcher(id).notified?.epoch, 1n);
});

Deno.test("ScopeWatchers.read() counts as telling only when it gives a generation", async () => {
  const bench = new ScopesBench();
  const scope = (await bench.withScope("vm-7")).get("vm-7");
  await scope.watchers.put("app", { track: true });
  assertEquals(await scope.watchers.read("app", 0), undefined);
  assertEquals(scope.state.watcher("app").notified, undefined);
  await scope.bump(request);
  await scope.watchers.read("app", 0);
  assertEquals(scope.state.watcher("app").notified?.epoch, 1n);
});

Deno.test("Watcher.presenceSinceNs moves when it is held, lost and back", async () => {
  const bench = new ScopesBench();
  const { scope, id } = await withWatcher(bench);
  const joined = scope.state.watcher(id).presenceSinceNs;
  assertEquals(joined, bench.clock.wallNs());
  bench.clock.advance(10);
  await scope.watchers.leave(id, scope.state.watcher(id).tokenHash);
  assertEquals(scope.state.watcher(id).presenceSinceNs, joined + 10_000_000n);
  bench.clock.advance(600);
  const { presence, presenceSinceNs } = scope.state.watcher(id);
  assertEquals([presence, presenceSinceNs], ["lost", joined + 510_000_000n]);
});

Deno.test("Scope.troubles counts the outdated who failed, are held, are lost", async () => {
  const bench = new ScopesBench();
  const { scope, id } = await withWatcher(bench);
  const held = await scope.watchers.watch({ name: "b", track: true });
  const failed = await scope.watchers.watch({ name: "c", track: true });
  await scope.watchers.leave(id, scope.state.watcher(id).tokenHash);
  assertEquals(scope.state.troubles, { failed: 0, held: 0, lost: 0 });
  await scope.bump(request);
  scope.watchers.fail(failed.watcher.id, 1, "no entropy");
  assertEquals(scope.state.watcher(failed.watcher.id).failure?.atNs, bench.clock.wallNs());
  await scope.watchers.leave(held.watcher.id, held.watcher.tokenHash);
  bench.clock.advance(500);
  assertEquals(scope.state.troubles, { failed: 1, held: 1, lost: 1 });
});

Deno.test("LiveScope.follow() hears each step of each watcher, listen() only what concerns all", async () => {
  const bench = new ScopesBench();
  const { scope, id } = await withWatcher(bench);
  const other = await scope.watchers.watch({ name: "b", track: true });
  let steps = 0;
  let changes = 0;
  const unfollow = scope.follow(() => steps++);
  scope.listen(() => changes++);
  await scope.bump(request);
  const before = { steps, changes };
  scope.watchers.notified(id);
  scope.watchers.ack(id, 1);
  assertEquals([steps - before.steps, changes - before.changes], [2, 0]);
  unfollow();
  scope.watchers.ack(other.watcher.id, 1);
  assertEquals([steps - before.steps, changes - before.changes], [2, 1]);
});
