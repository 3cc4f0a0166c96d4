import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { REGISTERS, WRITABLE_REGISTERS } from "../../../src/core/ports/guest_registers.ts";
import { Fault } from "../../../src/core/faults.ts";
import { registersToWrite, registerToRead } from "../../../src/guests/guest/registers.ts";
import { testSeed } from "../../support/random.ts";

Deno.test("registerToRead() knows lguest's registers and no other (case 18)", () => {
  for (const name of REGISTERS) assertEquals(registerToRead(name), name);
  fc.assert(
    fc.property(fc.string(), (name) => {
      if ((REGISTERS as readonly string[]).includes(name)) return;
      assertEquals(assertThrows(() => registerToRead(name), Fault).code, "register-unknown");
    }),
    { seed: testSeed() },
  );
  for (const name of ["orig_ax", "toString", "AX"]) {
    assertEquals(assertThrows(() => registerToRead(name), Fault).code, "register-unknown");
  }
});

Deno.test("registersToWrite() takes 32 bits for every writable register (case 19)", () => {
  for (const name of WRITABLE_REGISTERS) {
    assertEquals(registersToWrite(new Map([[name, 0xffff_ffffn]])), { [name]: 0xffff_ffffn });
    const over = () => registersToWrite(new Map([[name, 1n << 32n]]));
    assertEquals(assertThrows(over, Fault).code, "value-not-allowed");
  }
  assertEquals(registersToWrite(new Map()), {});
});
