import { assertEquals, assertRejects } from "@std/assert";
import { Fault } from "../../src/core/faults.ts";
import { RECLAIM_MS, RECLAIM_RETRY_MS, RECLAIM_SCOPES, U32_MAX } from "../../src/core/limits.ts";
import { DEFAULT_OPTIONS } from "../../src/generations/scope_options.ts";
import type { Scopes } from "../../src/generations/scopes.ts";
import { ScopesBench } from "../support/scopes.ts";

const request = { reason: "restore", by: "test" };

/** Lets looks at deleted scopes that are due come to their end. */
async function looked(bench: ScopesBench, scopes: Scopes, ms: number): Promise<void> {
  bench.clock.advance(ms);
  for (let turn = 0; turn < 20; turn++) {
    // Takes its turn after a look that has begun.
    await scopes.put("turn", DEFAULT_OPTIONS);
    bench.clock.advance(0);
  }
}

async function deleted(bench: ScopesBench, bumps: number, minimum = 0): Promise<Scopes> {
  const scopes = await bench.withScope("vm-7");
  for (let n = 0; n < bumps; n++) await scopes.get("vm-7").bump({ ...request, minimum });
  await scopes.delete("vm-7", false);
  return scopes;
}

const rowsOf = async (bench: ScopesBench): Promise<string[]> =>
  (await bench.ledger.load("scope")).map(({ id }) => id).filter((id) => id !== "turn");

Deno.test("a deleted scope whose pages somebody has goes on with its counter, over a restart too", async () => {
  const bench = new ScopesBench();
  bench.pages.inUse.add("vm-7");
  let scopes = await deleted(bench, 3);
  await looked(bench, scopes, RECLAIM_MS);
  assertEquals(await rowsOf(bench), ["system", "vm-7"]);
  scopes = await bench.open();
  await looked(bench, scopes, RECLAIM_MS);
  assertEquals(bench.pages.generation("vm-7"), 3);
  const { state } = (await scopes.put("vm-7", DEFAULT_OPTIONS)).scope;
  assertEquals([state.generation, state.epoch], [4, 4n]);
});

Deno.test("a deleted scope whose pages nobody has is forgotten, and none begins below its epoch", async () => {
  const bench = new ScopesBench();
  let scopes = await deleted(bench, 3, U32_MAX);
  await looked(bench, scopes, RECLAIM_MS);
  assertEquals(await rowsOf(bench), ["system"]);
  assertEquals(bench.pages.generation("vm-7"), undefined);
  for (const name of ["vm-7", "vm-8"]) {
    const { state } = (await scopes.put(name, DEFAULT_OPTIONS)).scope;
    // Its generation was at the end of its range, and poisons nobody's.
    assertEquals([name, state.generation, state.epoch], [name, 0, 4n]);
  }
  scopes = await bench.open();
  assertEquals((await scopes.put("vm-9", DEFAULT_OPTIONS)).scope.state.epoch, 4n);
});

Deno.test("a page that somebody had is looked at again, and goes when that one has ended", async () => {
  const bench = new ScopesBench();
  bench.pages.inUse.add("vm-7");
  const scopes = await deleted(bench, 1);
  await looked(bench, scopes, RECLAIM_MS);
  bench.pages.inUse.clear();
  await looked(bench, scopes, RECLAIM_RETRY_MS);
  assertEquals(await rowsOf(bench), ["system"]);
});

Deno.test("a scope that is made again before its pages were looked at keeps them", async () => {
  const bench = new ScopesBench();
  const scopes = await deleted(bench, 2);
  await scopes.put("vm-7", DEFAULT_OPTIONS);
  await looked(bench, scopes, RECLAIM_MS);
  assertEquals(scopes.get("vm-7").state.generation, 3);
  assertEquals(bench.pages.generation("vm-7"), 3);
});

Deno.test("a ledger that fails while a scope is forgotten leaves it remembered", async () => {
  const bench = new ScopesBench();
  const scopes = await deleted(bench, 2);
  bench.ledger.failing = new Error("disk full");
  bench.clock.advance(RECLAIM_MS);
  const refused = await assertRejects(() => scopes.put("vm-8", DEFAULT_OPTIONS), Fault);
  assertEquals(refused.code, "state-unavailable");
  bench.ledger.failing = undefined;
  // Its pages are gone, and its counter goes on all the same.
  assertEquals((await scopes.put("vm-7", DEFAULT_OPTIONS)).scope.state.epoch, 3n);
});

Deno.test("more deleted scopes than are looked at together are all forgotten", async () => {
  const bench = new ScopesBench();
  const scopes = await bench.open();
  for (let n = 0; n < 2 * RECLAIM_SCOPES + 5; n++) {
    await scopes.put(`s${n}`, DEFAULT_OPTIONS);
    await scopes.delete(`s${n}`, false);
  }
  await looked(bench, scopes, RECLAIM_MS);
  assertEquals(await rowsOf(bench), ["system"]);
  assertEquals([...bench.pages.files.keys()].filter((key) => key.startsWith("s1")), []);
  assertEquals(await bench.ledger.load("bump"), []);
});

Deno.test("an epoch that no scope can have reached is not believed of a page", async () => {
  const bench = new ScopesBench();
  await (await bench.withScope("vm-7")).close();
  const page = bench.pages.files.get("vm-7/vmclock") as Uint8Array<ArrayBuffer>;
  new DataView(page.buffer).setBigUint64(0x68, (1n << 64n) - 2n, true);
  const scopes = await bench.open();
  assertEquals(scopes.get("vm-7").state.epoch < 10n, true);
});
