import { assertEquals } from "@std/assert";
import { Shares } from "../../src/core/shares.ts";

const one = { name: "one", isAdmin: false };
const other = { name: "other", isAdmin: false };
const root = { name: "root", isAdmin: true };

/** Takes as much as there is for a caller. */
function fill(shares: Shares, taker: typeof one): number {
  let count = 0;
  while (shares.refusal(taker) === undefined) {
    shares.take(taker.name);
    count++;
  }
  return count;
}

Deno.test("Shares: one caller has half of what is not kept for admins, admins have the rest", () => {
  const shares = new Shares(80);
  assertEquals(fill(shares, one), 35);
  assertEquals(shares.refusal(one), "one has taken 35, and 35 of 80 is the most for one caller");
  assertEquals(fill(shares, other), 35);
  assertEquals(
    shares.refusal({ name: "third", isAdmin: false }),
    "the last 10 are kept for admins",
  );
  assertEquals(fill(shares, root), 10);
  assertEquals(shares.refusal(root), "all 80 are taken");
  shares.give("one");
  assertEquals(shares.refusal(root), undefined);
  assertEquals(shares.refusal(one), "the last 10 are kept for admins");
});

Deno.test("Shares: the largest is the one that has most", () => {
  const shares = new Shares(10);
  assertEquals(shares.largest, undefined);
  shares.take("one", 3);
  shares.take("other", 4);
  assertEquals(shares.largest, "other");
  shares.give("other", 2);
  assertEquals([shares.largest, shares.of("other"), shares.taken], ["one", 2, 5]);
});
