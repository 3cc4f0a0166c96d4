import { assert, assertEquals } from "@std/assert";
import { durationText, learnClock, nowMs, roundText, timeMs } from "../../src/console/time.js";

function assertNear(actual: number, expected: number, within: number): void {
  assert(Math.abs(actual - expected) <= within, `${actual} is not near ${expected}`);
}

Deno.test("timeMs() keeps what is below a millisecond, where Date.parse drops it", () => {
  const whole = timeMs("2026-11-20T13:43:52Z");
  assertEquals(whole, Date.parse("2026-11-20T13:43:52Z"));
  assertNear(timeMs("2026-11-20T13:43:52.000400000Z") - whole, 0.4, 0.001);
  assertEquals(Number.isNaN(timeMs("yesterday")), true);
});

Deno.test("durationText() shows what matters at each size", () => {
  const texts = [-1, 0.04, 5.25, 47.4, 999, 1234, 61_000, 7_200_000, 200_000_000].map(durationText);
  assertEquals(texts, [
    ...["0.0 ms", "0.0 ms", "5.3 ms", "47 ms", "999 ms", "1.2 s"],
    ...["1 min", "2 h", "2 d"],
  ]);
  assertEquals(roundText(-5), "0 s");
});

Deno.test("learnClock() follows a daemon whose clock differs, and not the seconds that Date cuts off", () => {
  learnClock(new Date(Date.now() + 3_600_000).toUTCString());
  assertNear(nowMs() - Date.now(), 3_600_000, 2_000);
  learnClock(new Date(Date.now() - 900).toUTCString());
  assertNear(nowMs() - Date.now(), 0, 5);
  learnClock(null);
  assertNear(nowMs() - Date.now(), 0, 5);
});
