import { assert, assertEquals } from "@std/assert";
import { Scale, tickText } from "../../src/console/scale.js";

Deno.test("Scale ends at the tick that the longest time does not pass, and never before 100 ms", () => {
  const ends = [0, 100, 101, 1000, 59_000, 61_000].map((ms) => new Scale(ms).endMs);
  assertEquals(ends, [100, 100, 1000, 1000, 60_000, 600_000]);
  assertEquals(new Scale(1e15).endMs, 1e15);
});

Deno.test("Scale.at() gives each decade the same room, from 0 to 100 percent", () => {
  const scale = new Scale(1000);
  assertEquals([-5, 0, 0.1].map((ms) => scale.at(ms)), [0, 0, 0]);
  assertEquals([1, 10, 100, 1000].map((ms) => Math.round(scale.at(ms))), [25, 50, 75, 100]);
  assertEquals(scale.at(1e9), 100);
  assert(scale.ticks.every((ms) => scale.at(ms) <= 100));
});

Deno.test("tickText() names a tick by its largest unit", () => {
  assertEquals([1, 1000, 600_000, 36_000_000].map(tickText), ["1 ms", "1 s", "10 min", "10 h"]);
});
