import { assertEquals, assertRejects } from "@std/assert";
import { Fault } from "../../src/core/faults.ts";
import { REPLAY_MS, REPLAYS_MAX } from "../../src/core/limits.ts";
import { Replays } from "../../src/daemon/replays.ts";
import { FakeClock } from "../support/clock.ts";

function bench() {
  const clock = new FakeClock();
  let runs = 0;
  const run = () => Promise.resolve(++runs);
  return { clock, replays: new Replays<number>(clock), run, runs: () => runs };
}

Deno.test("Replays.once() runs a request once, also when the second comes while the first runs (case 31)", async () => {
  const { replays, run, runs } = bench();
  const both = await Promise.all([replays.once("k", "r", run), replays.once("k", "r", run)]);
  assertEquals([both, await replays.once("k", "r", run), runs()], [[1, 1], 1, 1]);
  assertEquals(await replays.once("other", "r", run), 2);
});

Deno.test("Replays.once() refuses a key that came with another request", async () => {
  const { replays, run } = bench();
  await replays.once("k", "r", run);
  const fault = await assertRejects(() => replays.once("k", "another", run), Fault);
  assertEquals(fault.code, "key-reused");
});

Deno.test("Replays.once() frees the key of a request that threw", async () => {
  const { replays, run } = bench();
  await assertRejects(() => replays.once("k", "r", () => Promise.reject(new Error("no"))));
  assertEquals(await replays.once("k", "r", run), 1);
});

Deno.test("Replays.once() frees the key of an answer that is not final", async () => {
  const { replays, run } = bench();
  assertEquals(await replays.once("k", "r", run, () => false), 1);
  assertEquals(await replays.once("k", "r", run), 2);
});

Deno.test("Replays.once() forgets after its time, and the oldest past its bound", async () => {
  const { replays, clock, run } = bench();
  await replays.once("old", "r", run);
  clock.advance(REPLAY_MS);
  assertEquals(await replays.once("old", "r", run), 2);
  for (let n = 0; n < REPLAYS_MAX; n++) await replays.once(`k${n}`, "r", () => Promise.resolve(0));
  assertEquals(await replays.once("old", "r", run), 3);
});
