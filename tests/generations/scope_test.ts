import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Fault } from "../../src/core/faults.ts";
import { U32_MAX } from "../../src/core/limits.ts";
import { judge } from "../../src/generations/barrier.ts";
import type { Bump } from "../../src/generations/bump.ts";
import { Scope } from "../../src/generations/scope.ts";
import { DEFAULT_OPTIONS } from "../../src/generations/scope_options.ts";
import type { Watcher } from "../../src/generations/watcher.ts";

function bumpOf(next: { generation: number; epoch: bigint }): Bump {
  return { ...next, unique: "00", reason: "test", by: "test", atNs: 0n };
}

function scopeAt(generation: number): Scope {
  return new Scope("vm-7", DEFAULT_OPTIONS, bumpOf({ generation, epoch: 0n }));
}

function watcher(scope: Scope, id: string, tracked = true): Watcher {
  return {
    id,
    name: id,
    tracked,
    presence: "connected",
    presenceSinceNs: 0n,
    leaseMs: 1000,
    ackedEpoch: scope.epoch,
    tokenHash: id,
  };
}

const bump = (scope: Scope, minimum = 0) => scope.apply(bumpOf(scope.next(minimum)));

Deno.test("Scope.next() gives max(current + 1, minimum) (case 2)", () => {
  const scope = scopeAt(5);
  const seen = [8, 8, 3, 0].map((minimum) => {
    bump(scope, minimum);
    return scope.generation;
  });
  assertEquals(seen, [8, 9, 10, 11]);
});

Deno.test("Scope.next() wraps to 0 after 2^32 - 1 and the epoch goes on (case 21)", () => {
  const scope = scopeAt(0x7fff_ffff);
  bump(scope);
  assertEquals(scope.generation, 0x8000_0000);
  bump(scope, U32_MAX);
  scope.add(watcher(scope, "a"));
  bump(scope);
  assertEquals([scope.generation, scope.epoch], [0, 3n]);
  assertEquals(scope.counts.outdated, 1);
});

Deno.test("Scope.ack() after a wrap needs the watcher that confirmed 0 before to confirm again (case 21)", () => {
  const scope = scopeAt(0);
  scope.add(watcher(scope, "a"));
  bump(scope, U32_MAX);
  bump(scope);
  assertEquals(scope.generation, 0);
  assert(scope.isOutdated(scope.watcher("a")));
  scope.ack("a", 0, undefined, 0n);
  assertEquals(scope.counts.outdated, 0);
});

Deno.test("Scope.add() takes a new watcher as up to date (case 4)", () => {
  const scope = scopeAt(0);
  bump(scope);
  scope.add(watcher(scope, "a"));
  assertEquals(scope.counts, { watchers: 1, tracked: 1, outdated: 0 });
});

Deno.test("Scope.ack() refuses any generation but the current one (case 7)", () => {
  const scope = scopeAt(9);
  scope.add(watcher(scope, "a"));
  bump(scope);
  for (const wrong of [9, 11, 0]) {
    const fault = assertThrows(() => scope.ack("a", wrong, undefined, 0n), Fault);
    assertEquals([fault.code, fault.errno], ["stale-generation", "EINVAL"]);
  }
  assertThrows(() => scope.ack("a", 10, 0n, 0n), Fault);
  assertEquals(scope.counts.outdated, 1);
});

Deno.test("Scope.ack() twice counts once (case 8)", () => {
  const scope = scopeAt(0);
  scope.add(watcher(scope, "a"));
  scope.add(watcher(scope, "b"));
  bump(scope);
  scope.ack("a", 1, 1n, 0n);
  scope.ack("a", 1, 1n, 0n);
  assertEquals(scope.counts.outdated, 1);
});

Deno.test("Scope.apply() makes all tracked watchers outdated, whatever was confirmed (case 9)", () => {
  const scope = scopeAt(0);
  for (const id of ["a", "b", "c"]) scope.add(watcher(scope, id));
  bump(scope);
  scope.ack("a", 1, undefined, 0n);
  bump(scope);
  assertEquals(scope.counts.outdated, 3);
});

Deno.test("Scope.track() counts an outdated watcher at once and lets it go again (case 17)", () => {
  const scope = scopeAt(0);
  scope.add(watcher(scope, "a", false));
  bump(scope);
  assertEquals(scope.counts.outdated, 0);
  scope.track("a", true, 0n);
  scope.track("a", true, 0n);
  assertEquals(scope.counts, { watchers: 1, tracked: 1, outdated: 1 });
  assert(scope.track("a", false, 0n) !== undefined);
  assertEquals(scope.counts, { watchers: 1, tracked: 0, outdated: 0 });
});

Deno.test("Scope.apply() without a tracked watcher settles at once (case 28)", () => {
  const scope = scopeAt(0);
  assertEquals(bump(scope), { generation: 1, epoch: 1n, tookMs: 0 });
});

Deno.test("Scope.settledGeneration stays behind while watchers are late", () => {
  const scope = scopeAt(0);
  scope.add(watcher(scope, "a"));
  bump(scope);
  bump(scope);
  assertEquals([scope.settledGeneration, scope.phase], [0, "settling"]);
  scope.ack("a", 2, undefined, 0n);
  assertEquals([scope.settledGeneration, scope.phase], [2, "running"]);
});

Deno.test("judge() refuses a caller that is outdated itself, and a generation that is past (cases 11, 12)", () => {
  const scope = scopeAt(0);
  scope.add(watcher(scope, "a"));
  scope.add(watcher(scope, "u", false));
  bump(scope);
  const code = (request: Parameters<typeof judge>[1], bound = scope.epoch) =>
    assertThrows(() => judge(scope, request, bound), Fault).code;
  assertEquals(code({ watcher: "a" }), "caller-outdated");
  assertEquals(code({ watcher: "u" }), "caller-outdated");
  assertEquals(code({ generation: 0 }), "generation-changed");
  assertEquals(code({ epoch: 0n }), "generation-changed");
  assertEquals(code({}, 0n), "generation-changed");
  assertEquals(judge(scope, {}, 1n), undefined);
  scope.ack("a", 1, undefined, 0n);
  const open = judge(scope, { watcher: "a", generation: 1 }, 1n);
  assertEquals([open?.generation, open?.epoch, open?.lost], [1, 1n, []]);
  assertEquals(open?.confirmed.map(({ id }) => id), ["a"]);
});

interface NaiveWatcher {
  tracked: boolean;
  outdated: boolean;
}

/** The driver's rules in their plainest form: one flag a watcher, counted anew each time. */
class NaiveScope {
  generation = 0;
  readonly watchers = new Map<string, NaiveWatcher>();

  get outdated(): number {
    return [...this.watchers.values()].filter((one) => one.tracked && one.outdated).length;
  }
}

type Step =
  | { op: "add"; id: string; tracked: boolean }
  | { op: "bump"; minimum: number }
  | { op: "ack"; id: string; behind: number }
  | { op: "track"; id: string; on: boolean }
  | { op: "release"; id: string };

const id = fc.constantFrom("a", "b", "c", "d");
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ op: fc.constant("add" as const), id, tracked: fc.boolean() }),
  fc.record({
    op: fc.constant("bump" as const),
    minimum: fc.oneof(fc.nat(20), fc.constantFrom(U32_MAX, U32_MAX - 1)),
  }),
  fc.record({ op: fc.constant("ack" as const), id, behind: fc.nat(1) }),
  fc.record({ op: fc.constant("track" as const), id, on: fc.boolean() }),
  fc.record({ op: fc.constant("release" as const), id }),
);

function applyBoth(scope: Scope, naive: NaiveScope, one: Step): void {
  const known = "id" in one ? naive.watchers.get(one.id) : undefined;
  const refuses = (fn: () => unknown) => assertThrows(fn, Fault);
  switch (one.op) {
    case "add":
      if (known !== undefined) return;
      scope.add(watcher(scope, one.id, one.tracked));
      naive.watchers.set(one.id, { tracked: one.tracked, outdated: false });
      return;
    case "bump":
      bump(scope, one.minimum);
      naive.generation = Math.max((naive.generation + 1) % (U32_MAX + 1), one.minimum);
      for (const each of naive.watchers.values()) each.outdated = true;
      return;
    case "ack": {
      const value = naive.generation - one.behind;
      const ack = () => scope.ack(one.id, value, undefined, 0n);
      if (known === undefined || one.behind !== 0) return void refuses(ack);
      ack();
      known.outdated = false;
      return;
    }
    case "track":
      if (known === undefined) return void refuses(() => scope.track(one.id, one.on, 0n));
      scope.track(one.id, one.on, 0n);
      known.tracked = one.on;
      return;
    case "release":
      if (known === undefined) return void refuses(() => scope.release(one.id, 0n));
      scope.release(one.id, 0n);
      naive.watchers.delete(one.id);
  }
}

Deno.test("Scope counts as a naive model of the driver does, after any steps", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const scope = scopeAt(0);
      const naive = new NaiveScope();
      for (const one of steps) {
        applyBoth(scope, naive, one);
        assertEquals(scope.generation, naive.generation);
        assertEquals(scope.counts.outdated, naive.outdated);
        assertEquals(scope.counts.watchers, naive.watchers.size);
        const open = judge(scope, {}, scope.epoch) !== undefined;
        assertEquals(open, naive.outdated === 0);
        assertEquals([...scope.late()].length, naive.outdated);
      }
    }),
    { numRuns: 2000 },
  );
});
