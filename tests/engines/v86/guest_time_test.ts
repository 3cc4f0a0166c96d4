import { assertEquals } from "@std/assert";
import { GuestTime } from "../../../src/engines/v86/guest_time.ts";

Deno.test("GuestTime stands still while its PC does not run, and goes on from a snapshot", () => {
  let realMs = 1000;
  const time = new GuestTime(() => realMs);
  assertEquals(time.now(), 0);
  time.start();
  realMs += 5;
  assertEquals(time.now(), 5);
  time.stop();
  realMs += 10_000;
  assertEquals(time.now(), 5);
  time.start();
  time.start();
  realMs += 2;
  assertEquals(time.now(), 7);
  const clone = new GuestTime(() => 3, time.now());
  assertEquals(clone.now(), 7);
  clone.start();
  assertEquals(clone.now(), 7);
});
