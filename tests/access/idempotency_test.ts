import { assertEquals, assertRejects } from "@std/assert";
import { Fault } from "../../src/core/faults.ts";
import { REPLAY_MS } from "../../src/core/limits.ts";
import { type ReplayBounds, Replays } from "../../src/access/idempotency.ts";
import { FakeClock } from "../support/clock.ts";

function bench(bounds?: ReplayBounds) {
  const clock = new FakeClock();
  let runs = 0;
  const run = () => Promise.resolve(++runs);
  return { clock, replays: new Replays<number>(clock, bounds), run, runs: () => runs };
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

Deno.test("Replays.once() frees the key of an answer that is not to be kept", async () => {
  const { replays, run } = bench();
  assertEquals(await replays.once("k", "r", run, () => undefined), 1);
  assertEquals(await replays.once("k", "r", run), 2);
});

Deno.test("Replays.once() forgets after its time", async () => {
  const { replays, clock, run } = bench();
  await replays.once("old", "r", run);
  clock.advance(REPLAY_MS - 1);
  assertEquals(await replays.once("old", "r", run), 1);
  clock.advance(1);
  assertEquals(await replays.once("old", "r", run), 2);
});

Deno.test("Replays.once() lets the oldest answers go past its bytes, and does nothing twice", async () => {
  const { replays, clock, run, runs } = bench({ keysMax: 100, bytesMax: 10 });
  const ask = (key: string, bytes: number) => replays.once(key, "r", run, () => bytes);
  const gone = async (key: string) => {
    const fault = await assertRejects(() => ask(key, 1), Fault);
    assertEquals(fault.code, "answer-not-kept");
  };
  for (const key of ["a", "b", "c"]) await ask(key, 4);
  await gone("a");
  assertEquals([await ask("b", 4), await ask("c", 4)], [2, 3]);
  // One that finds no room at all is told once, and lets the others go as any other does.
  assertEquals(await ask("huge", 11), 4);
  for (const key of ["a", "b", "c", "huge"]) await gone(key);
  assertEquals(await Promise.all([ask("d", 10), ask("d", 10)]), [5, 5]);
  assertEquals([await ask("d", 10), runs()], [5, 5]);
  clock.advance(REPLAY_MS);
  assertEquals(await ask("a", 4), 6);
  assertEquals([await ask("e", 6), await ask("a", 4)], [7, 6], "what was forgotten takes no room");
});

Deno.test("Replays.once() counts answers that are on their way as soon as they are there", async () => {
  const { replays } = bench({ keysMax: 100, bytesMax: 10 });
  const asks = Array.from(
    { length: 50 },
    (_, n) => replays.once(`k${n}`, "r", () => Promise.resolve(n), () => 3),
  );
  assertEquals(await Promise.all(asks), Array.from({ length: 50 }, (_, n) => n));
  const again = await Promise.allSettled(
    Array.from({ length: 50 }, (_, n) => replays.once(`k${n}`, "r", () => Promise.resolve(-1))),
  );
  assertEquals(again.filter(({ status }) => status === "fulfilled").length, 3);
});

Deno.test("Replays.once() refuses a new key past its bound, until the oldest is forgotten", async () => {
  const { replays, clock, run, runs } = bench({ keysMax: 3, bytesMax: 10 });
  await replays.once("a", "r", run);
  clock.advance(1500);
  for (const key of ["b", "c"]) await replays.once(key, "r", run);
  const fault = await assertRejects(() => replays.once("d", "r", run), Fault);
  assertEquals([fault.code, fault.retryAfterSeconds], ["keys-exhausted", 599]);
  assertEquals([await replays.once("a", "r", run), runs()], [1, 3]);
  clock.advance(REPLAY_MS - 1500);
  assertEquals(await replays.once("d", "r", run), 4);
});
