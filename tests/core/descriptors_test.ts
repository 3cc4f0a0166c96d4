import { assert, assertEquals } from "@std/assert";
import { Descriptors } from "../../src/core/descriptors.ts";

Deno.test("Descriptors: no use starves another, and all together stay below the limit", () => {
  for (const limit of [64, 256, 1024, 20_000, 1_048_576]) {
    const descriptors = new Descriptors(limit, 30);
    assert(limit < 64 || descriptors.isEnough, `${limit} is enough`);
    let taken = 0;
    while (descriptors.take("connections", 1)) taken++;
    assertEquals(taken, descriptors.share("connections"));
    assertEquals(descriptors.take("connections", 1), false, "one more than the share");
    assert(descriptors.take("inodes", 3), "the others still have some");
    while (descriptors.take("inodes", 3)) taken += 3;
    while (descriptors.take("guests", 1)) taken++;
    assert(taken + 3 + 30 < limit, `${taken} of ${limit}`);
    descriptors.give("connections", 1);
    assertEquals(descriptors.free("connections"), 1);
  }
});

Deno.test("Descriptors: too few for a daemon are not enough", () => {
  assertEquals(new Descriptors(61, 30).isEnough, false);
  assertEquals(new Descriptors(62, 30).isEnough, true);
});

Deno.test("Descriptors: a reason names the limit and what to raise", () => {
  const descriptors = new Descriptors(256, 30);
  while (descriptors.take("inodes", 3));
  const reason = descriptors.reason("inodes");
  assert(/^\d+ of the 139 file descriptors for inodes are in use, and 256 is/.test(reason), reason);
  assert(reason.includes("ulimit -n"), reason);
});
