import { assertEquals, assertRejects } from "@std/assert";
import { Fault } from "../../src/core/faults.ts";
import { IDEMPOTENCY_MS } from "../../src/core/limits.ts";
import { type AnswerBounds, IdempotentAnswers } from "../../src/access/idempotency.ts";
import { FakeClock } from "../support/clock.ts";

function bench(bounds?: AnswerBounds) {
  const clock = new FakeClock();
  let runs = 0;
  const run = () => Promise.resolve(++runs);
  return { clock, answers: new IdempotentAnswers<number>(clock, bounds), run, runs: () => runs };
}

Deno.test("IdempotentAnswers.once() runs a request once, also when the second comes while the first runs (case 31)", async () => {
  const { answers, run, runs } = bench();
  const both = await Promise.all([answers.once("k", "r", run), answers.once("k", "r", run)]);
  assertEquals([both, await answers.once("k", "r", run), runs()], [[1, 1], 1, 1]);
  assertEquals(await answers.once("other", "r", run), 2);
});

Deno.test("IdempotentAnswers.once() refuses a key that came with another request", async () => {
  const { answers, run } = bench();
  await answers.once("k", "r", run);
  const fault = await assertRejects(() => answers.once("k", "another", run), Fault);
  assertEquals(fault.code, "key-reused");
});

Deno.test("IdempotentAnswers.once() frees the key of a request that threw", async () => {
  const { answers, run } = bench();
  await assertRejects(() => answers.once("k", "r", () => Promise.reject(new Error("no"))));
  assertEquals(await answers.once("k", "r", run), 1);
});

Deno.test("IdempotentAnswers.once() frees the key of an answer that is not to be kept", async () => {
  const { answers, run } = bench();
  assertEquals(await answers.once("k", "r", run, () => undefined), 1);
  assertEquals(await answers.once("k", "r", run), 2);
});

Deno.test("IdempotentAnswers.once() forgets after its time", async () => {
  const { answers, clock, run } = bench();
  await answers.once("old", "r", run);
  clock.advance(IDEMPOTENCY_MS - 1);
  assertEquals(await answers.once("old", "r", run), 1);
  clock.advance(1);
  assertEquals(await answers.once("old", "r", run), 2);
});

Deno.test("IdempotentAnswers.once() lets the oldest answers go past its bytes, and does nothing twice", async () => {
  const { answers, clock, run, runs } = bench({ keysMax: 100, bytesMax: 10 });
  const request = (key: string, bytes: number) => answers.once(key, "r", run, () => bytes);
  const gone = async (key: string) => {
    const fault = await assertRejects(() => request(key, 1), Fault);
    assertEquals(fault.code, "answer-not-kept");
  };
  for (const key of ["a", "b", "c"]) await request(key, 4);
  await gone("a");
  assertEquals([await request("b", 4), await request("c", 4)], [2, 3]);
  // One that finds no room at all is told once, and lets the others go as any other does.
  assertEquals(await request("huge", 11), 4);
  for (const key of ["a", "b", "c", "huge"]) await gone(key);
  assertEquals(await Promise.all([request("d", 10), request("d", 10)]), [5, 5]);
  assertEquals([await request("d", 10), runs()], [5, 5]);
  clock.advance(IDEMPOTENCY_MS);
  assertEquals(await request("a", 4), 6);
  assertEquals(
    [await request("e", 6), await request("a", 4)],
    [7, 6],
    "what was forgotten takes no room",
  );
});

Deno.test("IdempotentAnswers.once() counts answers that are on their way as soon as they are there", async () => {
  const { answers } = bench({ keysMax: 100, bytesMax: 10 });
  const asks = Array.from(
    { length: 50 },
    (_, n) => answers.once(`k${n}`, "r", () => Promise.resolve(n), () => 3),
  );
  assertEquals(await Promise.all(asks), Array.from({ length: 50 }, (_, n) => n));
  const again = await Promise.allSettled(
    Array.from({ length: 50 }, (_, n) => answers.once(`k${n}`, "r", () => Promise.resolve(-1))),
  );
  assertEquals(again.filter(({ status }) => status === "fulfilled").length, 3);
});

Deno.test("IdempotentAnswers.once() refuses a new key past its bound, until the oldest is forgotten", async () => {
  const { answers, clock, run, runs } = bench({ keysMax: 3, bytesMax: 10 });
  await answers.once("a", "r", run);
  clock.advance(1500);
  for (const key of ["b", "c"]) await answers.once(key, "r", run);
  const fault = await assertRejects(() => answers.once("d", "r", run), Fault);
  assertEquals([fault.code, fault.retryAfterSeconds], ["keys-exhausted", 599]);
  assertEquals([await answers.once("a", "r", run), runs()], [1, 3]);
  clock.advance(IDEMPOTENCY_MS - 1500);
  assertEquals(await answers.once("d", "r", run), 4);
});

Deno.test("IdempotentAnswers.once() leaves keys for others, and takes room from who has most", async () => {
  const { answers } = bench({ keysMax: 16, bytesMax: 100 });
  const request = (name: string, key: string, bytes: number) =>
    answers.once(`${name} ${key}`, "r", () => Promise.resolve(1), () => bytes, {
      name,
      isAdmin: name === "root",
    });
  await request("small", "0", 10);
  for (let n = 0; n < 7; n++) await request("greedy", `${n}`, 30);
  const fault = await assertRejects(() => request("greedy", "7", 1), Fault);
  assertEquals(fault.code, "keys-exhausted");
  assertEquals(await request("small", "0", 10), 1, "the answer of another one is kept");
  await assertRejects(() => request("greedy", "0", 30), Fault, "make room");
  for (let n = 1; n < 7; n++) await request("small", `${n}`, 1);
  await assertRejects(() => request("third", "0", 1), Fault, "kept for admins");
  assertEquals(await request("root", "0", 1), 1);
});
