import { assertEquals } from "@std/assert";
import { findings } from "../../src/cli/doctor.ts";

const GOOD = { kernel: "6.18.44", fuse: "yes", capabilities: "000001ffffffffff", timeout: "0" };

function warnings(facts: typeof GOOD): string[] {
  return findings(facts).filter(({ isFine }) => !isFine).map(({ name }) => name);
}

Deno.test("findings(): a host that has everything is fine", () => {
  assertEquals(warnings(GOOD), []);
  assertEquals(warnings({ ...GOOD, kernel: "7.0.0-rc1" }), []);
});

Deno.test("findings(): each thing that is missing is named", () => {
  assertEquals(warnings({ ...GOOD, kernel: "6.8.0-generic" }), ["kernel"]);
  assertEquals(warnings({ ...GOOD, kernel: "5.15.0" }), ["kernel"]);
  assertEquals(warnings({ ...GOOD, fuse: "" }), ["/dev/fuse"]);
  assertEquals(warnings({ ...GOOD, capabilities: "0000000000000000" }), ["CAP_SYS_ADMIN"]);
  assertEquals(warnings({ ...GOOD, capabilities: "" }), ["CAP_SYS_ADMIN"]);
  assertEquals(warnings({ ...GOOD, timeout: "60" }), ["FUSE request time-out"]);
});
