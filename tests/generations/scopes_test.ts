import { assert, assertEquals, assertRejects } from "@std/assert";
import { Fault, type FaultCode } from "../../src/core/faults.ts";
import { PAGES_PER_LOOK, U32_MAX } from "../../src/core/limits.ts";
import type { ScopeChange } from "../../src/generations/changes.ts";
import type { LiveScope } from "../../src/generations/live_scope.ts";
import type { Watching } from "../../src/generations/watch_request.ts";
import { SYSTEM_SCOPE } from "../../src/generations/scopes.ts";
import { PageWatch } from "../../src/generations/page_watch.ts";
import { FakeClock } from "../support/clock.ts";
import { ScopesBench } from "../support/scopes.ts";

const request = { reason: "restore", by: "test" };

async function refused(code: FaultCode, promise: Promise<unknown>): Promise<Fault> {
  const fault = await assertRejects(() => promise, Fault);
  assertEquals(fault.code, code, fault.message);
  return fault;
}

async function tracked(scope: LiveScope, ...names: string[]): Promise<string[]> {
  const ids: string[] = [];
  for (const name of names) {
    ids.push((await scope.watchers.watch({ name, track: true })).watcher.id);
  }
  return ids;
}

Deno.test("Scopes.open() makes the scope system with generation 0 in its page (case 1)", async () => {
  const bench = new ScopesBench();
  const scopes = await bench.open();
  assertEquals(scopes.get(SYSTEM_SCOPE).state.generation, 0);
  assertEquals(bench.pages.generation(SYSTEM_SCOPE), 0);
});

Deno.test("LiveScope.bump() goes ledger, page, memory, listeners (case 18)", async () => {
  const bench = new ScopesBench();
  const scope = (await bench.withScope("vm-7")).get("vm-7");
  const order: string[] = [];
  bench.pages.onStore = (_scope, name, offset) => {
    if (offset === 0 || offset === 0x68) order.push(`${name}, memory ${scope.state.generation}`);
  };
  scope.listen((change) => {
    if (change.kind !== "generation") return;
    order.push(`told ${change.bump.generation}, page ${bench.pages.generation("vm-7")}`);
  });
  await scope.bump(request);
  assertEquals(order, ["sysgenid, memory 0", "vmclock, memory 0", "told 1, page 1"]);
});

Deno.test("LiveScope.bump() with a failing ledger changes nothing and says so", async () => {
  const bench = new ScopesBench();
  const scope = (await bench.withScope("vm-7")).get("vm-7");
  const changes: ScopeChange[] = [];
  scope.listen((change) => changes.push(change));
  bench.ledger.failing = new Error("disk full");
  await refused("state-unavailable", scope.bump(request));
  assertEquals([scope.state.generation, bench.pages.generation("vm-7")], [0, 0]);
  assertEquals(changes, []);
  bench.ledger.failing = undefined;
  assertEquals((await scope.bump(request)).bump.generation, 1);
});

Deno.test("LiveScope.bump() with a failing page uses the value up and tells nobody", async () => {
  const bench = new ScopesBench();
  const scope = (await bench.withScope("vm-7")).get("vm-7");
  await scope.watchers.watch({ name: "a", track: true });
  const notified: number[] = [];
  scope.listen((change) => change.kind === "generation" && notified.push(change.bump.generation));
  bench.pages.onStore = (_scope, name) => {
    if (name === "vmclock") throw new Fault("page-unusable", "no");
  };
  await refused("page-unusable", scope.bump(request));
  await refused("watchers-outdated", scope.barrier({}, { waitMs: 0 }));
  bench.pages.onStore = () => {};
  await scope.bump(request);
  assertEquals([notified, bench.pages.generation("vm-7")], [[2], 2]);
});

Deno.test("LiveScope.bump() refuses minimums that are no u32 and does not bump (case 2)", async () => {
  const scope = (await new ScopesBench().withScope("vm-7")).get("vm-7");
  for (const minimum of [-1, 1.5, U32_MAX + 1, NaN]) {
    await refused("minimum-out-of-range", scope.bump({ ...request, minimum }));
  }
  assertEquals(scope.state.epoch, 0n);
});

Deno.test("LiveScope.bump() gives parallel callers one generation each", async () => {
  const scope = (await new ScopesBench().withScope("vm-7")).get("vm-7");
  const bumps = await Promise.all(Array.from({ length: 20 }, () => scope.bump(request)));
  assertEquals(
    bumps.map(({ bump }) => bump.generation),
    Array.from({ length: 20 }, (_, i) => i + 1),
  );
  assertEquals(new Set(bumps.map(({ bump }) => bump.unique)).size, 20);
});

Deno.test("LiveScope.bump() for an older image passes the generation that the image has shown (case 22)", async () => {
  const scope = (await new ScopesBench().withScope("vm-7")).get("vm-7");
  const shown = new Set<number>();
  scope.listen((change) => change.kind === "generation" && shown.add(change.bump.generation));
  for (let n = 0; n < 4; n++) await scope.bump(request);
  const imageGeneration = 9;
  const { bump } = await scope.bump({ ...request, minimum: imageGeneration + 1 });
  assertEquals(bump.generation, 10);
  assertEquals([...shown], [1, 2, 3, 4, 10]);
});

Deno.test("LiveScope.barrier() opens when the last tracked watcher confirms", async () => {
  const scope = (await new ScopesBench().withScope("vm-7")).get("vm-7");
  const [a, b] = await tracked(scope, "a", "b") as [string, string];
  await scope.watchers.watch({ name: "reader", track: false });
  await scope.bump(request);
  const open = scope.barrier({}, { waitMs: 1000 });
  scope.watchers.ack(a, 1);
  scope.watchers.ack(b, 1);
  const { generation, epoch, lost, confirmed } = await open;
  assertEquals([generation, epoch, lost], [1, 1n, []]);
  assertEquals(confirmed.map(({ id }) => id), [a, b]);
});

Deno.test("LiveScope.barrier() times out with ETIME and names who is late (case 13)", async () => {
  const bench = new ScopesBench();
  const scope = (await bench.withScope("vm-7")).get("vm-7");
  const [a] = await tracked(scope, "a", "b") as [string];
  await scope.bump(request);
  scope.watchers.ack(a, 1);
  let ended = false;
  const waiting = scope.barrier({}, { waitMs: 50 }).finally(() => ended = true);
  waiting.catch(() => {});
  bench.clock.advance(49);
  await Promise.resolve();
  assert(!ended);
  bench.clock.advance(1);
  const fault = await refused("watchers-outdated", waiting);
  assertEquals(fault.errno, "ETIME");
  assertEquals((fault.members["watchers"] as { name: string }[]).map(({ name }) => name), ["b"]);
});

Deno.test("LiveScope.barrier() ends with EINTR when bumped while waiting, even if all confirm (case 12)", async () => {
  const scope = (await new ScopesBench().withScope("vm-7")).get("vm-7");
  const [a] = await tracked(scope, "a") as [string];
  await scope.bump(request);
  const waiting = scope.barrier({}, { waitMs: 1000 });
  waiting.catch(() => {});
  await scope.bump(request);
  scope.watchers.ack(a, 2);
  assertEquals((await refused("generation-changed", waiting)).errno, "EINTR");
});

Deno.test("LiveScope.barrier() never opens for a generation that came after (case 14)", async () => {
  const scope = (await new ScopesBench().withScope("vm-7")).get("vm-7");
  const [a] = await tracked(scope, "a") as [string];
  const seen = new Map<string, number>();
  for (let round = 0; round < 10_000; round++) {
    const { bump } = await scope.bump(request);
    const waiting = scope.barrier({}, { waitMs: 1000 })
      .then((open) => open.generation, (fault) => fault.code);
    const racing = scope.bump(request);
    // The ack comes before the bump, while its commit is under way, or after it.
    for (let turn = 0; turn < round % 24; turn++) await Promise.resolve();
    let acked = "taken";
    try {
      scope.watchers.ack(a, bump.generation);
    } catch (fault) {
      acked = (fault as Fault).code;
    }
    const verdict = await waiting;
    await racing;
    const expected = acked === "taken" ? bump.generation : "generation-changed";
    assertEquals(verdict, expected, `round ${round}`);
    assertEquals(scope.state.counts.outdated, 1);
    seen.set(acked, (seen.get(acked) ?? 0) + 1);
  }
  assert(seen.size === 2, "the race went only one way");
});

Deno.test("LiveScope.barrier() is let go by release, and by a caller that goes away", async () => {
  const scope = (await new ScopesBench().withScope("vm-7")).get("vm-7");
  const [a] = await tracked(scope, "a") as [string];
  await scope.bump(request);
  const gone = new AbortController();
  const abandoned = scope.barrier({}, { waitMs: 1000, signal: gone.signal });
  abandoned.catch(() => {});
  gone.abort();
  await refused("watchers-outdated", abandoned);
  assertEquals(scope.state.counts.outdated, 1);
  const open = scope.barrier({}, { waitMs: 1000 });
  await scope.watchers.release(a);
  assertEquals((await open).generation, 1);
});

Deno.test("Scopes.open() holds tracked watchers over a restart, and the barrier names them (docs/generations.md#9)", async () => {
  const bench = new ScopesBench();
  const scope = (await bench.withScope("vm-7")).get("vm-7");
  const [a] = await tracked(scope, "a", "b", "c") as [string];
  await scope.watchers.watch({ name: "untracked", track: false });
  await scope.bump(request);
  scope.watchers.ack(a, 1);
  bench.clock.advance(1000);
  await scope.close();
  const again = (await bench.open()).get("vm-7");
  assertEquals(again.state.counts, { watchers: 3, tracked: 3, outdated: 2 });
  const fault = await refused("watchers-outdated", again.barrier({}, { waitMs: 0 }));
  const late = fault.members["watchers"] as { name: string; presence: string }[];
  assertEquals(late.map(({ name, presence }) => [name, presence]).sort(), [
    ["b", "held"],
    ["c", "held"],
  ]);
});

Deno.test("LiveScope.watch() with a token goes on as the same watcher, outdated if it was (case 24)", async () => {
  const bench = new ScopesBench();
  const scope = (await bench.withScope("vm-7")).get("vm-7");
  const process = bench.processes.start();
  const first = await scope.watchers.watch({ name: "a", track: true, process });
  await scope.watchers.leave(first.watcher.id, first.watcher.tokenHash);
  await scope.bump(request);
  await scope.bump(request);
  const back = await scope.watchers.watch({ name: "a", track: true, token: first.token, process });
  assertEquals([back.watcher.id, back.resumed], [first.watcher.id, true]);
  assert(scope.state.isOutdated(back.watcher));
  assert(back.token !== first.token);
  assertEquals(scope.state.counts.tracked, 1);
});

Deno.test("LiveScope.watch() with a spent token makes a second watcher, which starts outdated (case 23)", async () => {
  const scope = (await new ScopesBench().withScope("vm-7")).get("vm-7");
  const { token, watcher } = await scope.watchers.watch({ name: "a", track: true });
  await scope.bump(request);
  const both = await Promise.all([
    scope.watchers.watch({ name: "a", track: true, token }),
    scope.watchers.watch({ name: "a", track: true, token }),
  ]);
  // Which of them came first is not for the test to say.
  const [one, other] = both.sort((a, b) => Number(b.resumed) - Number(a.resumed)) as [
    Watching,
    Watching,
  ];
  assertEquals([one.resumed, other.resumed], [true, false]);
  assertEquals(one.watcher.id, watcher.id);
  assert(other.watcher.id !== watcher.id);
  scope.watchers.ack(one.watcher.id, 1);
  // The second, and the original: nothing proves that it is gone.
  const late = [...scope.state.late()].map(({ id, supersededBy }) => [id, supersededBy]);
  assertEquals(late.map(([id]) => id).includes(other.watcher.id), true);
  assertEquals(late.map(([, by]) => by).sort(), [one.watcher.id, undefined]);
});

Deno.test("LiveScope.leave() forgets instead of holding where the scope says so", async () => {
  const bench = new ScopesBench();
  const scopes = await bench.withScope("vm-7", { trackOnOpen: true, onDisconnect: "forget" });
  const scope = scopes.get("vm-7");
  const { watcher } = await scope.watchers.watch({ name: "a", track: false });
  assert(watcher.tracked);
  await scope.watchers.leave(watcher.id, watcher.tokenHash);
  assertEquals(scope.state.counts.watchers, 0);
  assertEquals((await bench.ledger.load("watcher")).length, 0);
});

Deno.test("Scopes.delete() keeps page and counter: made again it goes on with the next generation", async () => {
  const bench = new ScopesBench();
  const scopes = await bench.withScope("vm-7");
  const scope = scopes.get("vm-7");
  await scope.bump({ ...request, minimum: 41 });
  const [a] = await tracked(scope, "a") as [string];
  await refused("scope-in-use", scopes.delete("vm-7", false));
  await scope.watchers.release(a);
  await scopes.delete("vm-7", false);
  await refused("scope-not-found", scope.bump(request));
  const { scope: again } = await (await bench.open()).put("vm-7", scope.state.options);
  assertEquals([again.state.generation, bench.pages.generation("vm-7")], [42, 42]);
});

Deno.test("Scopes.delete() by force answers those who wait at the barrier", async () => {
  const scopes = await new ScopesBench().withScope("vm-7");
  const scope = scopes.get("vm-7");
  await tracked(scope, "a");
  await scope.bump(request);
  const waiting = scope.barrier({}, { waitMs: 1000 });
  waiting.catch(() => {});
  await scopes.delete("vm-7", true);
  await refused("scope-not-found", waiting);
});

for (
  const [name, page, generation, reason] of [
    ["equal to the ledger's is left alone", 7, 7, "restore"],
    ["behind by the last bump gets that value (a crash between commit and store)", 6, 7, "restore"],
    ["ahead of the ledger is bumped past (a state folder from a backup)", 90, 91, "recovered"],
    ["of foreign content is bumped past, over the wrap", U32_MAX, 8, "recovered"],
  ] as const
) {
  Deno.test(`Scopes.open() and a page: one ${name} (docs/generations.md#3, cases 20, 32)`, async () => {
    const bench = new ScopesBench();
    const scope = (await bench.withScope("vm-7")).get("vm-7");
    await scope.bump({ ...request, minimum: 6 });
    await scope.bump(request);
    bench.pages.tamper("vm-7", page);
    const again = (await bench.open()).get("vm-7");
    assertEquals([again.state.generation, again.state.current.reason], [generation, reason]);
    assertEquals(bench.pages.generation("vm-7"), generation);
  });
}

Deno.test("LiveScope.inspectPages() mends what somebody else wrote, says so, and no bump uses that number", async () => {
  const bench = new ScopesBench();
  const scope = (await bench.withScope("vm-7")).get("vm-7");
  await scope.bump(request);
  bench.events.facts.length = 0;
  scope.inspectPages();
  assertEquals(bench.events.facts, []);
  bench.pages.tamper("vm-7", 2);
  vmclockView(bench).setBigUint64(0x68, 2n, true);
  scope.inspectPages();
  assertEquals(
    bench.events.facts.map(({ kind, data }) => [kind, data?.["page"], data?.["found"]]),
    [
      ["page.mended", "sysgenid", 2],
      ["page.mended", "vmclock", 2n],
    ],
  );
  assertEquals(bench.pages.generation("vm-7"), 1);
  assertEquals(vmclockView(bench).getBigUint64(0x68, true), 1n);
  // A program may have seen 2 and would not notice a bump to it.
  const { bump } = await scope.bump(request);
  assertEquals([bump.generation, bump.epoch], [3, 3n]);
  assertEquals(bench.pages.generation("vm-7"), 3);
});

Deno.test("LiveScope.bump() finds a page that somebody else has written to since the last look", async () => {
  const bench = new ScopesBench();
  const scope = (await bench.withScope("vm-7")).get("vm-7");
  bench.pages.tamper("vm-7", 1);
  const { bump } = await scope.bump(request);
  assertEquals(bump.generation, 2);
  assert(bench.events.kinds.includes("page.mended"));
});

Deno.test("LiveScope.inspectPages() says once that a page cannot be mended, and mends it when it can", async () => {
  const bench = new ScopesBench();
  const scope = (await bench.withScope("vm-7")).get("vm-7");
  bench.events.facts.length = 0;
  bench.pages.tamper("vm-7", 9);
  bench.pages.onStore = () => {
    throw new Fault("page-unusable", "no room");
  };
  scope.inspectPages();
  scope.inspectPages();
  await refused("page-unusable", scope.bump(request));
  assertEquals(scope.state.generation, 0);
  assertEquals(bench.events.kinds, ["page.unusable"]);
  bench.pages.onStore = () => {};
  scope.inspectPages();
  assertEquals(bench.events.kinds, ["page.unusable", "page.mended"]);
  assertEquals(bench.pages.generation("vm-7"), 0);
});

Deno.test("PageWatch looks at each scope every 100 ms, however many there are", () => {
  for (const count of [1, 3 * PAGES_PER_LOOK]) {
    const clock = new FakeClock();
    const looks = new Uint8Array(count);
    const scopes = Array.from(looks, (_, at) => ({
      inspectPages: () => void (looks[at] = (looks[at] ?? 0) + 1),
    }));
    const watch = new PageWatch(() => scopes, clock);
    clock.advance(1_000);
    assert(looks.every((times) => times >= 9 && times <= 10), `${looks}`);
    watch[Symbol.dispose]();
    assertEquals(clock.pending, 0);
  }
});

function vmclockView(bench: ScopesBench): DataView {
  return new DataView((bench.pages.files.get("vm-7/vmclock") as Uint8Array<ArrayBuffer>).buffer);
}
