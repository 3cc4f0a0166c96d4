import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Fault } from "../../src/core/faults.ts";
import { judge } from "../../src/generations/barrier.ts";
import type { Bump } from "../../src/generations/bump.ts";
import { matchesPattern } from "../../src/generations/expectations.ts";
import { Scope } from "../../src/generations/scope.ts";
import { DEFAULT_OPTIONS, type ScopeOptions } from "../../src/generations/scope_options.ts";
import { ScopesBench } from "../support/scopes.ts";

function bumpOf(next: { generation: number; epoch: bigint }): Bump {
  return { ...next, unique: "00", reason: "test", by: "test", atNs: 0n };
}

const bump = (scope: Scope) => scope.apply(bumpOf(scope.next(0)));

function scopeWith(options: Partial<ScopeOptions>): Scope {
  const first = bumpOf({ generation: 0, epoch: 0n });
  return new Scope("vm-7", { ...DEFAULT_OPTIONS, ...options }, first);
}

function join(scope: Scope, id: string, name = id, tracked = true): void {
  const presence = { presence: "connected", presenceSinceNs: 0n, leaseMs: 1000 } as const;
  scope.add({ id, name, tracked, ...presence, ackedEpoch: scope.epoch });
}

const isOpen = (scope: Scope, atLeast?: number): boolean =>
  judge(scope, { atLeast }, scope.epoch) !== undefined;

Deno.test("a scope that expects somebody is shut before anybody watches it", () => {
  const scope = scopeWith({ expect: ["app"] });
  bump(scope);
  assertEquals([isOpen(scope), scope.phase, scope.unmet().names], [false, "settling", ["app"]]);
});

Deno.test("joining after the bump is no confirmation: an expected name counts by its own ack", () => {
  const scope = scopeWith({ expect: ["app"] });
  bump(scope);
  join(scope, "a", "app");
  assertEquals([isOpen(scope), scope.counts.outdated], [false, 0]);
  assertEquals(scope.ack("a", 1, undefined, 5_000_000n), { generation: 1, epoch: 1n, tookMs: 5 });
  assertEquals([isOpen(scope), scope.phase], [true, "running"]);
  assertEquals(scope.ack("a", 1, undefined, 9n), undefined);
});

Deno.test("all of an expected name must have confirmed, tracked or not", () => {
  const scope = scopeWith({ expect: ["worker-*"] });
  join(scope, "a", "worker-1");
  join(scope, "b", "worker-2", false);
  bump(scope);
  scope.ack("a", 1, undefined, 0n);
  assertEquals(isOpen(scope), false);
  join(scope, "c", "other");
  scope.ack("b", 1, undefined, 0n);
  assertEquals(isOpen(scope), true);
});

Deno.test("an expected name that left without confirming stays unmet until expectations change", () => {
  const options = { ...DEFAULT_OPTIONS, expect: ["app"] };
  const scope = scopeWith(options);
  join(scope, "a", "app");
  bump(scope);
  assertEquals(scope.release("a", 0n), undefined);
  assertEquals(assertThrows(() => isOpen(scope), Fault).code, "expectations-unmet");
  join(scope, "b", "app");
  scope.ack("b", 1, undefined, 0n);
  assertEquals(assertThrows(() => isOpen(scope), Fault).members?.["left"], ["app"]);
  assert(scope.configure(options, 0n) !== undefined);
  assertEquals(isOpen(scope), true);
});

Deno.test("an expected name that confirmed and left has done its work", () => {
  const scope = scopeWith({ expect: ["job"] });
  join(scope, "a", "job");
  bump(scope);
  scope.ack("a", 1, undefined, 0n);
  scope.release("a", 0n);
  assertEquals([isOpen(scope), scope.departed], [true, []]);
});

Deno.test("a tracked watcher that leaves outdated opens the barrier, which names it", () => {
  const scope = scopeWith({});
  join(scope, "a", "app");
  bump(scope);
  scope.release("a", 0n);
  assertEquals(judge(scope, {}, 1n)?.departed, [{ id: "a", name: "app", why: "released" }]);
  bump(scope);
  assertEquals(judge(scope, {}, 2n)?.departed, []);
});

Deno.test("a lost watcher of an expected name keeps a scope shut that opens for lost ones", () => {
  const scope = scopeWith({ expect: ["app"], onLost: "open" });
  join(scope, "a", "app");
  join(scope, "b", "other");
  bump(scope);
  scope.ack("b", 1, undefined, 0n);
  scope.setPresence("a", "lost", 0n);
  assertEquals([isOpen(scope), scope.isSettled], [false, false]);
  scope.setPresence("a", "connected", 0n);
  assert(scope.ack("a", 1, undefined, 0n) !== undefined);
});

Deno.test("atLeast counts acks of the current epoch, for the scope and for one call", () => {
  const scope = scopeWith({ atLeast: 2 });
  join(scope, "a");
  join(scope, "b", "b", false);
  bump(scope);
  scope.ack("a", 1, undefined, 0n);
  assertEquals([isOpen(scope), scope.unmet().missing], [false, 1]);
  scope.ack("b", 1, undefined, 0n);
  assertEquals([isOpen(scope), isOpen(scope, 3)], [true, false]);
  bump(scope);
  assertEquals(scope.unmet().missing, 2);
});

Deno.test("a barrier that wants one ack of its own opens with the ack of an untracked watcher", async () => {
  const scope = (await new ScopesBench().withScope("vm-7")).get("vm-7");
  await scope.bump({ reason: "restore", by: "test" });
  const open = scope.barrier({ atLeast: 1 }, { waitMs: 1000 });
  const { watcher } = await scope.watchers.watch({ name: "app", track: false });
  scope.watchers.ack(watcher.id, 1);
  assertEquals((await open).confirmed.map(({ name }) => name), ["app"]);
});

Deno.test("who left without confirming is still remembered after a restart", async () => {
  const bench = new ScopesBench();
  const scopes = await bench.withScope("vm-7", { expect: ["app"] });
  const scope = scopes.get("vm-7");
  const [gone, stays] = [
    await scope.watchers.watch({ name: "app", track: true }),
    await scope.watchers.watch({ name: "app", track: true }),
  ];
  await scope.bump({ reason: "restore", by: "test" });
  scope.watchers.ack(stays.watcher.id, 1);
  await scope.watchers.release(gone.watcher.id);
  await scopes.close();
  const again = (await bench.open()).get("vm-7");
  assertEquals([again.state.unmet().broken, again.state.isSettled], [["app"], false]);
  assertEquals([...again.state.confirmed()].map(({ id }) => id), [stays.watcher.id]);
});

Deno.test("who confirmed and left has done its work also after a restart, until the next bump", async () => {
  const bench = new ScopesBench();
  const scopes = await bench.withScope("vm-7", { expect: ["job"], atLeast: 1 });
  const scope = scopes.get("vm-7");
  const { watcher } = await scope.watchers.watch({ name: "job", track: true });
  await scope.bump({ reason: "restore", by: "test" });
  scope.watchers.ack(watcher.id, 1);
  await scope.watchers.release(watcher.id);
  assertEquals(scope.state.isSettled, true);
  await scopes.close();
  const again = (await bench.open()).get("vm-7");
  assertEquals([again.state.isSettled, again.state.confirmedCount], [true, 1]);
  assertEquals([...again.state.confirmed()].map(({ name, ackedAtNs }) => [name, ackedAtNs]), [
    ["job", bench.clock.wallNs()],
  ]);
  await again.bump({ reason: "restore", by: "test" });
  assertEquals([again.state.isSettled, again.state.confirmedCount], [false, 0]);
  await again.close();
  assertEquals((await bench.open()).get("vm-7").state.unmet().names, ["job"]);
});

Deno.test("matchesPattern() is a name, or a prefix with a star at its end", () => {
  const yes = [["app", "app"], ["app-*", "app-1"], ["*", "x"], ["app*", "app"]] as const;
  const no = [["app", "app-1"], ["app-*", "app"], ["b*", "ab"]] as const;
  assertEquals(yes.filter(([pattern, name]) => !matchesPattern(pattern, name)), []);
  assertEquals(no.filter(([pattern, name]) => matchesPattern(pattern, name)), []);
});

/** The rule in its plainest form, from a log of what happened since the last bump. */
function naiveIsMet(
  expect: readonly string[],
  atLeast: number,
  there: ReadonlyMap<string, { name: string; acked: boolean }>,
  left: readonly { name: string; acked: boolean }[],
): boolean {
  const all = [...there.values(), ...left];
  return all.filter(({ acked }) => acked).length >= atLeast && expect.every((pattern) => {
    const ours = all.filter(({ name }) => matchesPattern(pattern, name));
    return ours.length > 0 && ours.every(({ acked }) => acked);
  });
}

Deno.test("Scope.unmet() agrees with a naive model over random joins, acks, departures and bumps", () => {
  const name = fc.constantFrom("app", "app-1", "app-2", "db");
  const step = fc.oneof(
    fc.record({ do: fc.constant("join" as const), name }),
    fc.record({ do: fc.constantFrom("ack" as const, "leave" as const), pick: fc.nat(7) }),
    fc.constant({ do: "bump" as const }),
  );
  const expect = fc.uniqueArray(fc.constantFrom("app", "app-*", "db", "*", "nobody"));
  fc.assert(
    fc.property(expect, fc.nat(3), fc.array(step, { maxLength: 40 }), (expect, atLeast, steps) => {
      const scope = scopeWith({ expect, atLeast });
      const there = new Map<string, { name: string; acked: boolean }>();
      const left: { name: string; acked: boolean }[] = [];
      let next = 0;
      for (const step of steps) {
        if (step.do === "join") {
          join(scope, `w${next}`, step.name, false);
          there.set(`w${next++}`, { name: step.name, acked: false });
        } else if (step.do === "bump") {
          bump(scope);
          left.length = 0;
          for (const one of there.values()) one.acked = false;
        } else {
          const id = [...there.keys()][step.pick % (there.size || 1)];
          const one = there.get(id ?? "");
          if (id === undefined || one === undefined) continue;
          if (step.do === "ack") {
            scope.ack(id, scope.generation, scope.epoch, 0n);
            one.acked = true;
          } else {
            scope.release(id, 0n);
            there.delete(id);
            left.push(one);
          }
        }
        assertEquals(scope.isSettled, naiveIsMet(expect, atLeast, there, left));
      }
    }),
  );
});
