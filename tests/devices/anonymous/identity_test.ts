import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  anonymousId,
  AnonymousIdentity,
  linuxDeviceId,
} from "../../../src/devices/anonymous/identity.ts";
import { testSeed } from "../../support/random.ts";

Deno.test("linuxDeviceId() puts the minor's low byte below the major and the rest above it", () => {
  for (
    const [major, minor, id] of [
      [0n, 0n, 0n],
      [0n, 1n, 1n],
      [0n, 255n, 255n],
      [0n, 256n, 0x10_0000n],
      [8n, 1n, 0x801n],
      [0xfffn, 0xf_ffffn, 0xffff_ffffn],
      [0x1000n, 0n, 0n],
      [0x1_0000n, 7n, 7n],
      [0n, 1n << 20n, 0n],
      [0n, (1n << 32n) + 5n, 5n],
    ] as const
  ) assertEquals(linuxDeviceId({ major, minor }), id, `${major}:${minor}`);
});

Deno.test("linuxDeviceId() can be taken apart again below 12 and 20 bits", () => {
  fc.assert(
    fc.property(
      fc.bigInt({ min: 0n, max: 0xfffn }),
      fc.bigInt({ min: 0n, max: 0xf_ffffn }),
      (major, minor) => {
        const id = Number(linuxDeviceId({ major, minor }));
        assertEquals(BigInt(Math.floor(id / 256) % 4096), major);
        assertEquals(BigInt(id % 256 + 256 * Math.floor(id / 0x10_0000)), minor);
      },
    ),
    { seed: testSeed() | 0 },
  );
});

Deno.test("anonymousId() is the minor with a word before it", () => {
  assertEquals(anonymousId(12n), "anon-12");
});

Deno.test("AnonymousIdentity has major 0 and the Linux number of its minor", () => {
  const identity = new AnonymousIdentity(256n, "ssd");
  assertEquals([identity.id, identity.major, identity.deviceId, identity.name], [
    "anon-256",
    0n,
    0x10_0000n,
    "ssd",
  ]);
});
