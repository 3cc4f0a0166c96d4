import { assertEquals } from "@std/assert";
import { Lease } from "../../src/guests/lease.ts";
import { FakeClock } from "../support/clock.ts";

function begun(): { clock: FakeClock; lease: Lease; out: () => number } {
  const clock = new FakeClock();
  let times = 0;
  const lease = new Lease(clock, 100, () => times++);
  return { clock, lease, out: () => times };
}

Deno.test("Lease runs out once when there is no sign of the owner", () => {
  const { clock, out } = begun();
  clock.advance(99);
  assertEquals(out(), 0);
  clock.advance(1000);
  assertEquals(out(), 1);
});

Deno.test("Lease.hold() keeps it while any request lasts, and it begins anew after the last", () => {
  const { clock, lease, out } = begun();
  clock.advance(50);
  const [first, second] = [lease.hold(), lease.hold()];
  clock.advance(1000);
  first();
  clock.advance(1000);
  assertEquals(out(), 0);
  second();
  clock.advance(99);
  assertEquals(out(), 0);
  clock.advance(1);
  assertEquals(out(), 1);
});

Deno.test("Lease.end() keeps it from running out, also when a request ends afterwards", () => {
  const { clock, lease, out } = begun();
  const release = lease.hold();
  lease.end();
  release();
  clock.advance(1000);
  assertEquals([out(), clock.pending], [0, 0]);
});
