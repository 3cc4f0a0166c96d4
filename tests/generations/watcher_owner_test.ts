import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { Fault } from "../../src/core/faults.ts";
import { admin, Principal } from "../../src/access/tokens.ts";
import { ScopesBench } from "../support/scopes.ts";

const one = new Principal("one", ["watch"]);
const other = new Principal("other", ["watch"]);
const boss = admin("boss");
const restore = { reason: "restore", by: "test" };

Deno.test("ScopeWatchers lets only the principal that registered a watcher speak for it, and admins", async () => {
  const scope = (await new ScopesBench().withScope("vm-7")).get("vm-7");
  const { watchers } = scope;
  await watchers.put("cron", { track: true }, one);
  const code = (act: () => void) => assertThrows(act, Fault).code;
  assertEquals(code(() => watchers.requireOwner("cron", other)), "watcher-not-owned");
  assertEquals(code(() => watchers.requireOwner("gone", other)), "watcher-not-found");
  watchers.requireOwner("cron", one);
  watchers.requireOwner("cron", boss);
  // Of the same name is the same principal, whatever its secret is.
  watchers.requireOwner("cron", new Principal("one", ["watch:vm-*"]));
  const taken = await assertRejects(() => watchers.put("cron", { track: false }, other), Fault);
  assertEquals(taken.code, "watcher-not-owned");
  const released = () => watchers.release("cron", undefined, other);
  assertEquals((await assertRejects(released, Fault)).code, "watcher-not-owned");
  assertEquals([scope.state.watcher("cron").tracked, scope.state.watcher("cron").owner], [
    true,
    "one",
  ]);
  await watchers.put("cron", { track: false }, boss);
  assertEquals(scope.state.watcher("cron").owner, "one", "an admin does not take it away");
  await watchers.release("cron", undefined, one);
});

Deno.test("ScopeWatchers.watch() takes the token of another principal's watcher for an unknown one", async () => {
  const scope = (await new ScopesBench().withScope("vm-7")).get("vm-7");
  const first = await scope.watchers.watch({ name: "a", track: true }, one);
  await scope.bump(restore);
  const { token } = first;
  const thief = await scope.watchers.watch({ name: "a", track: true, token }, other);
  assertEquals([thief.resumed, thief.watcher.owner], [false, "other"]);
  assertEquals(scope.state.isOutdated(thief.watcher), true, "it proves nothing");
  const back = await scope.watchers.watch({ name: "a", track: true, token }, one);
  assertEquals([back.resumed, back.watcher.id], [true, first.watcher.id]);
});

Deno.test("a watcher keeps its owner over a restart; one of an earlier version belongs to who comes back", async () => {
  const bench = new ScopesBench();
  const before = await bench.withScope("vm-7");
  await before.get("vm-7").watchers.put("owned", { track: true }, one);
  await before.get("vm-7").watchers.put("old", { track: true });
  const old = await before.get("vm-7").watchers.watch({ name: "old", track: true });
  await before.close();
  const scope = (await bench.open()).get("vm-7");
  const refused = (act: () => void) => assertThrows(act, Fault, "another principal");
  refused(() => scope.watchers.requireOwner("owned", other));
  refused(() => scope.watchers.requireOwner("old", other));
  scope.watchers.requireOwner("old", boss);
  await scope.watchers.put("old", { track: true }, other);
  scope.watchers.requireOwner("old", other);
  refused(() => scope.watchers.requireOwner("old", one));
  const back = await scope.watchers.watch({ name: "old", token: old.token }, one);
  assertEquals([back.resumed, back.watcher.owner], [true, "one"]);
  await scope.watchers.release("old", undefined, other);
});
