import { assertEquals } from "@std/assert";
import { Leases } from "../../src/core/leases.ts";
import { FakeClock } from "../support/clock.ts";

function bench() {
  const clock = new FakeClock();
  const out: string[] = [];
  const leases = new Leases(clock);
  const start = (name: string, ms = 100) => leases.start(name, ms, () => out.push(name));
  return { clock, leases, out, start };
}

Deno.test("Leases.start() lets a lease run out once, and begins it anew when asked again", () => {
  const { clock, out, start } = bench();
  start("a");
  clock.advance(99);
  start("a");
  clock.advance(99);
  assertEquals(out, []);
  clock.advance(1);
  assertEquals([out, clock.pending], [["a"], 0]);
});

Deno.test("Leases.hold() keeps a lease from running out; with the last hold it begins anew", () => {
  const { clock, leases, out, start } = bench();
  start("a");
  const [one, other] = [leases.hold("a"), leases.hold("a")];
  clock.advance(1000);
  start("a", 50);
  one();
  clock.advance(1000);
  assertEquals(out, []);
  other();
  clock.advance(49);
  assertEquals(out, []);
  clock.advance(1);
  assertEquals(out, ["a"]);
});

Deno.test("Leases give time back in which the daemon itself stood still", () => {
  const { clock, out, start } = bench();
  start("a", 60_000);
  clock.advance(30_000);
  clock.suspend(3_600_000);
  clock.advance(59_999);
  assertEquals(out, []);
  clock.advance(1);
  assertEquals(out, ["a"]);
  start("b", 60_000);
  clock.advance(59_000);
  // A loop that is busy for a second is no standstill.
  clock.suspend(2_000);
  assertEquals(out, ["a", "b"]);
});

Deno.test("Leases.end() ends a lease for good, held or not; a hold of none does nothing", () => {
  const { clock, leases, out, start } = bench();
  start("a");
  start("b");
  const release = leases.hold("b");
  leases.end("a");
  leases.end("b");
  release();
  leases.hold("nobody")();
  clock.advance(1000);
  assertEquals([out, clock.pending], [[], 0]);
});

Deno.test("Leases.hold() holds only its own lease, not a later one of the same name", () => {
  const { clock, leases, out, start } = bench();
  start("a");
  const release = leases.hold("a");
  leases.end("a");
  start("a");
  clock.advance(60);
  release();
  assertEquals(clock.pending, 1);
  clock.advance(40);
  assertEquals([out, clock.pending], [["a"], 0]);
});

Deno.test("Leases.stop() leaves no timer behind", () => {
  const { clock, leases, start } = bench();
  for (const name of ["a", "b", "c"]) start(name);
  leases.stop();
  assertEquals(clock.pending, 0);
});
