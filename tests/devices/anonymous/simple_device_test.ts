import { assertEquals, assertThrows } from "@std/assert";
import { Fault } from "../../../src/core/faults.ts";
import { U64_MAX } from "../../../src/core/limits.ts";
import { AnonymousIdentity } from "../../../src/devices/anonymous/identity.ts";
import { SimpleDevice } from "../../../src/devices/anonymous/simple_device.ts";

Deno.test("SimpleDevice.next() names 1, 2, 3 and the same one until it is taken", () => {
  const device = new SimpleDevice(new AnonymousIdentity(1n, undefined));
  assertEquals([device.next(), device.next()], [1n, 1n]);
  device.take(1n);
  assertEquals([device.next(), device.last], [2n, 1n]);
});

Deno.test("SimpleDevice.next() ends at the largest u64 and never gives 0", () => {
  const device = new SimpleDevice(new AnonymousIdentity(1n, undefined), U64_MAX - 1n);
  device.take(device.next());
  assertEquals(device.last, U64_MAX);
  assertEquals(assertThrows(() => device.next(), Fault).code, "inodes-exhausted");
  assertEquals(device.last, U64_MAX);
});
