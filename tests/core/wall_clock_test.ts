import { assertEquals } from "@std/assert";
import { wallClock } from "../../src/core/wall_clock.ts";

Deno.test("wallClock() has parts of milliseconds and follows the host's clock when that is set", () => {
  let [wallMs, monotonicMs] = [1_000_000, 50.25];
  const read = wallClock(() => Math.floor(wallMs), () => monotonicMs);
  assertEquals(read(), 1_000_000_000_000n);
  wallMs += 1.5;
  monotonicMs += 1.5;
  assertEquals(read(), 1_000_001_500_000n);
  for (const stepMs of [3_600_000, -7_200_000]) {
    wallMs += stepMs;
    assertEquals(read(), BigInt(Math.floor(wallMs)) * 1_000_000n, `${stepMs}`);
  }
});
