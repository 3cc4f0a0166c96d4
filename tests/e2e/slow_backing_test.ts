import { assert, assertEquals } from "@std/assert";
import { besideSlowBacking } from "../support/slow_backing.ts";

Deno.test("A backing that takes two seconds for each call keeps no other request waiting", async () => {
  const { tookMs, hanging, areAllThere } = await besideSlowBacking();
  // All of it was answered while every read of the slow backing still waited.
  assertEquals(hanging, 20);
  assert(tookMs.length >= 50, `${tookMs.length} requests`);
  assert(areAllThere);
});
