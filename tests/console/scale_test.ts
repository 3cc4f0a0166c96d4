import { assertEquals } from "@std/assert";
import { Scale, tickText } from "../../src/console/scale.js";

Deno.test("Scale ends at the tick that the longest time does not pass, and never before 10 s", () => {
  const ends = [0, 10_000, 10_001, 61_000, 600_000].map((ms) => new Scale(ms).endMs);
  assertEquals(ends, [10_000, 10_000, 60_000, 600_000, 600_000]);
  assertEquals(new Scale(1e15).endMs, 1e15);
});

Deno.test("Scale.at() gives each decade the same room, from 0 to 100 percent", () => {
  const scale = new Scale(1);
  assertEquals([-5, 0, 0.1].map((ms) => scale.at(ms)), [0, 0, 0]);
  const at = [1, 10, 100, 1000, 10_000].map((ms) => Math.round(scale.at(ms)));
  assertEquals(at, [20, 40, 60, 80, 100]);
  assertEquals(scale.at(1e9), 100);
});

Deno.test("Scale.ticks leaves room for the words of the last one", () => {
  assertEquals(new Scale(1).ticks, [1, 10, 100, 1000, 10_000]);
  assertEquals(new Scale(60_000).ticks, [1, 10, 100, 1000, 60_000]);
  assertEquals(new Scale(3_600_000).ticks.slice(-2), [60_000, 3_600_000]);
});

Deno.test("tickText() names a tick by its largest unit", () => {
  assertEquals([1, 1000, 600_000, 36_000_000].map(tickText), ["1 ms", "1 s", "10 min", "10 h"]);
});
