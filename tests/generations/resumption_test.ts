import { assert, assertEquals } from "@std/assert";
import type { ProcessIdentity } from "../../src/core/ports/processes.ts";
import { SUPERSEDED_LOOK_MS } from "../../src/core/limits.ts";
import { judge } from "../../src/generations/barrier.ts";
import type { LiveScope } from "../../src/generations/live_scope.ts";
import type { ScopeOptions } from "../../src/generations/scope_options.ts";
import { shownPresence } from "../../src/generations/watcher.ts";
import { ScopesBench } from "../support/scopes.ts";

const restore = { reason: "restore", by: "test" };

interface World {
  readonly bench: ScopesBench;
  readonly scope: LiveScope;
  watch(
    token?: string,
    process?: ProcessIdentity,
    epoch?: bigint,
  ): Promise<Awaited<ReturnType<LiveScope["watchers"]["watch"]>>>;
}

async function world(options: Partial<ScopeOptions> = {}): Promise<World> {
  const bench = new ScopesBench();
  const scope = (await bench.withScope("vm-7", options)).get("vm-7");
  return {
    bench,
    scope,
    watch: (token, process, epoch) =>
      scope.watchers.watch({ name: "app", track: true, token, process, epoch }),
  };
}

const late = (scope: LiveScope): string[][] =>
  [...scope.state.late()].map((watcher) => [watcher.id, shownPresence(watcher)]);

const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
};

Deno.test("a clone that comes with an unspent token is outdated, and the original stays in the barrier as superseded", async () => {
  const { scope, watch } = await world();
  const original = await watch();
  await scope.bump(restore);
  scope.watchers.ack(original.watcher.id, 1);
  await scope.bump(restore);
  // The snapshot was taken before: its memory says that it has confirmed epoch 1.
  const clone = await watch(original.token, undefined, 1n);
  assertEquals([clone.resumed, scope.state.isOutdated(clone.watcher)], [true, true]);
  scope.watchers.ack(clone.watcher.id, 2);
  const [[ghost, presence] = []] = late(scope);
  assertEquals([presence, scope.state.isSettled], ["superseded", false]);
  assertEquals(scope.state.watcher(ghost as string).supersededBy, clone.watcher.id);
});

Deno.test("who was superseded is back once it confirms, and is a watcher like others then", async () => {
  const { scope, watch } = await world();
  const original = await watch();
  await watch(original.token);
  await scope.bump(restore);
  const ghost = [...scope.state.watchers].find(({ supersededBy }) => supersededBy !== undefined);
  assert(ghost !== undefined);
  scope.watchers.ack(ghost.id, 1);
  assertEquals(scope.state.watcher(ghost.id).supersededBy, undefined);
  assertEquals(scope.state.counts, { watchers: 2, tracked: 2, outdated: 1 });
});

Deno.test("a watcher that comes back is up to date only when what it says, its token's ack and the current epoch are equal", async () => {
  for (
    const [said, acked, current, outdated] of [
      [1n, true, 1, false],
      [undefined, true, 1, true],
      [0n, true, 1, true],
      [1n, false, 1, true],
      [1n, true, 2, true],
      [2n, true, 2, true],
    ] as const
  ) {
    const { bench, scope, watch } = await world();
    const process = bench.processes.start();
    const { watcher, token } = await watch(undefined, process);
    await scope.bump(restore);
    if (acked) scope.watchers.ack(watcher.id, 1);
    if (current === 2) await scope.bump(restore);
    const back = await watch(token, process, said);
    assertEquals(scope.state.isOutdated(back.watcher), outdated, `${said} ${acked} ${current}`);
    assertEquals(scope.state.isSettled, !outdated);
  }
});

Deno.test("a process that comes back as itself leaves nobody behind", async () => {
  const { bench, scope, watch } = await world();
  const process = bench.processes.start();
  const first = await watch(undefined, process);
  const second = await watch(first.token, process, 0n);
  assertEquals([second.resumed, scope.state.counts.watchers], [true, 1]);
});

Deno.test("a predecessor whose connection has ended and whose process is gone is proven dead, and leaves nobody behind", async () => {
  const { bench, scope, watch } = await world();
  const [killed, next] = [bench.processes.start(), bench.processes.start()];
  const first = await watch(undefined, killed);
  await scope.bump(restore);
  await scope.watchers.leave(first.watcher.id, first.watcher.tokenHash);
  bench.processes.kill(killed);
  const second = await watch(first.token, next, 0n);
  assertEquals([second.resumed, scope.state.counts.watchers], [true, 1]);
  scope.watchers.ack(second.watcher.id, 1);
  assertEquals(scope.state.isSettled, true);
});

Deno.test("a predecessor that dies later leaves the barrier then; the evidence says that it is dead", async () => {
  const { bench, scope, watch } = await world({ expect: ["app"] });
  const [killed, next] = [bench.processes.start(), bench.processes.start()];
  const first = await watch(undefined, killed);
  await scope.bump(restore);
  const second = await watch(first.token, next);
  scope.watchers.ack(second.watcher.id, 1);
  const [[ghost] = []] = late(scope) as [string, string][];
  assert(ghost !== undefined);
  await scope.watchers.leave(ghost, scope.state.watcher(ghost).tokenHash);
  bench.clock.advance(SUPERSEDED_LOOK_MS);
  await settle();
  assertEquals(scope.state.isSettled, false, "its process lives");
  bench.processes.kill(killed);
  bench.clock.advance(SUPERSEDED_LOOK_MS);
  await settle();
  assertEquals(scope.state.isSettled, true);
  assertEquals(judge(scope.state, {}, 1n)?.departed.map(({ why }) => why), ["dead"]);
});

Deno.test("a process that only says it is another's is not believed", async () => {
  const { bench, scope, watch } = await world();
  const process = bench.processes.start();
  const first = await watch(undefined, process);
  const other = { ...process, bootId: "of-a-guest" };
  await watch(first.token, other);
  assertEquals(scope.state.counts.watchers, 2);
});

Deno.test("a lost answer with the next token: the same process goes on with the one before", async () => {
  const { bench, scope, watch } = await world();
  const process = bench.processes.start();
  const first = await watch(undefined, process);
  const lost = await watch(first.token, process, 0n);
  const back = await watch(first.token, process, 0n);
  assertEquals([back.resumed, back.watcher.id, scope.state.counts.watchers], [
    ...[true, first.watcher.id, 1],
  ]);
  // The token whose answer was lost was never used, and never can be.
  assertEquals((await watch(lost.token, process)).resumed, false);
});

Deno.test("a token before the newest one makes a second watcher of another process, and of one whose successor was used", async () => {
  const { bench, scope, watch } = await world();
  const [process, clone] = [bench.processes.start(), bench.processes.start()];
  const first = await watch(undefined, process);
  const second = await watch(first.token, process, 0n);
  const other = await watch(first.token, clone, 0n);
  assertEquals([other.resumed, scope.state.isOutdated(other.watcher)], [false, true]);
  await watch(second.token, process, 0n);
  const spent = await watch(first.token, process, 0n);
  assertEquals([spent.resumed, scope.state.isOutdated(spent.watcher)], [false, true]);
});

Deno.test("a process that was killed before it stored its next token leaves no ghost", async () => {
  const { bench, scope, watch } = await world();
  const [killed, next] = [bench.processes.start(), bench.processes.start()];
  const first = await watch(undefined, killed);
  const second = await watch(first.token, killed, 0n);
  await scope.watchers.leave(second.watcher.id, second.watcher.tokenHash);
  bench.processes.kill(killed);
  const third = await watch(first.token, next);
  assertEquals([third.resumed, scope.state.counts.watchers], [false, 1]);
});

Deno.test("who is superseded survives a restart of the daemon", async () => {
  const { bench, scope, watch } = await world();
  const [lives, next] = [bench.processes.start(), bench.processes.start()];
  const first = await watch(undefined, lives);
  await scope.bump(restore);
  const second = await watch(first.token, next);
  scope.watchers.ack(second.watcher.id, 1);
  await scope.close();
  const again = (await bench.open()).get("vm-7");
  assertEquals(late(again).map(([, presence]) => presence), ["superseded"]);
  bench.processes.kill(lives);
  bench.clock.advance(SUPERSEDED_LOOK_MS);
  await settle();
  assertEquals(again.state.isSettled, true);
});

Deno.test("an operator releases who is superseded with one call, also of an expected name", async () => {
  const { scope, watch } = await world({ expect: ["app"] });
  const first = await watch();
  await scope.bump(restore);
  const second = await watch(first.token);
  scope.watchers.ack(second.watcher.id, 1);
  const [[ghost] = []] = late(scope) as [string, string][];
  await scope.watchers.release(ghost as string);
  assertEquals(scope.state.isSettled, true);
});

Deno.test("an original that comes back with its token as the same process goes on as itself", async () => {
  const { bench, scope, watch } = await world();
  const [original, clone] = [bench.processes.start(), bench.processes.start()];
  const first = await watch(undefined, original);
  const second = await watch(first.token, clone);
  const ghost = [...scope.state.watchers].find(({ supersededBy }) => supersededBy !== undefined);
  assert(ghost !== undefined);
  await scope.watchers.leave(ghost.id, ghost.tokenHash);
  const back = await watch(first.token, original);
  assertEquals([back.resumed, back.watcher.id], [true, ghost.id]);
  assert(back.watcher.id !== second.watcher.id);
  assertEquals(back.watcher.supersededBy, undefined);
});

Deno.test("who was superseded and is back is no longer superseded after a restart, and its old token stays spent", async () => {
  const { bench, scope, watch } = await world();
  const [original, clone] = [bench.processes.start(), bench.processes.start()];
  const first = await watch(undefined, original);
  await watch(first.token, clone);
  const back = await watch(first.token, original);
  await scope.close();
  const again = (await bench.open()).get("vm-7");
  assertEquals(again.state.watcher(back.watcher.id).supersededBy, undefined);
  assertEquals([...again.state.watchers].filter((one) => one.supersededBy !== undefined), []);
  const thief = await again.watchers.watch({ name: "app", track: true, token: first.token });
  assertEquals(thief.resumed, false);
});

Deno.test("atLeast counts a watcher and whom it superseded once", async () => {
  const { scope, watch } = await world({ atLeast: 2 });
  const first = await watch();
  await scope.bump(restore);
  scope.watchers.ack(first.watcher.id, 1);
  const clone = await watch(first.token, undefined, 1n);
  assertEquals([scope.state.isOutdated(clone.watcher), scope.state.confirmedCount], [false, 1]);
  assertEquals(scope.state.isSettled, false);
  const ghost = [...scope.state.watchers].find(({ supersededBy }) => supersededBy !== undefined);
  scope.watchers.ack(ghost?.id ?? "", 1);
  assertEquals(scope.state.isSettled, true);
});

Deno.test("a scope that opens without lost watchers forgets them after a time, and says whom", async () => {
  const { bench, scope, watch } = await world({ onLost: "open", forgetLostMs: 5_000 });
  const { watcher } = await watch();
  await scope.bump(restore);
  await scope.watchers.leave(watcher.id, watcher.tokenHash);
  bench.clock.advance(watcher.leaseMs);
  assertEquals(judge(scope.state, {}, 1n)?.lost.map(({ id }) => id), [watcher.id]);
  bench.clock.advance(4_999);
  await settle();
  assertEquals(scope.state.has(watcher.id), true);
  bench.clock.advance(1);
  await settle();
  assertEquals(scope.state.has(watcher.id), false);
  await scope.bump(restore);
  await scope.close();
  const again = (await bench.open()).get("vm-7");
  assertEquals(judge(again.state, {}, 2n)?.forgotten.map(({ id }) => id), [watcher.id]);
});

Deno.test("a scope that blocks for lost watchers forgets none, whatever forgetLostMs says", async () => {
  const { bench, scope, watch } = await world({ onLost: "block", forgetLostMs: 5_000 });
  const { watcher } = await watch();
  await scope.watchers.leave(watcher.id, watcher.tokenHash);
  bench.clock.advance(watcher.leaseMs + 10_000);
  await settle();
  assertEquals(scope.state.watcher(watcher.id).presence, "lost");
});

Deno.test("a lost watcher that comes back before it is forgotten is not forgotten", async () => {
  const { bench, scope, watch } = await world({ onLost: "open", forgetLostMs: 5_000 });
  const process = bench.processes.start();
  const { watcher, token } = await watch(undefined, process);
  await scope.watchers.leave(watcher.id, watcher.tokenHash);
  bench.clock.advance(watcher.leaseMs + 4_000);
  await watch(token, process);
  bench.clock.advance(60_000);
  await settle();
  assertEquals(scope.state.watcher(watcher.id).presence, "connected");
});

Deno.test("a spent token goes on as its watcher by the socket of one guest, and by no other", async () => {
  const { scope } = await world();
  const by = (name: string) => ({ name, may: () => false });
  const first = await scope.watchers.watch({ name: "app", track: true }, by("listener:vm-7"));
  const { token } = first;
  const second = await scope.watchers.watch({ name: "app", token }, by("listener:vm-7"));
  assertEquals(second.watcher.id === first.watcher.id || second.resumed, true);
  // The answer with the next token was lost on its way.
  const again = await scope.watchers.watch({ name: "app", token }, by("listener:vm-7"));
  assertEquals([again.resumed, again.watcher.id], [true, second.watcher.id]);
  const other = await scope.watchers.watch({ name: "app", token }, by("listener:vm-8"));
  assertEquals([other.resumed, scope.state.isOutdated(other.watcher)], [false, true]);
});
