import { assertEquals } from "@std/assert";
import { rfc3339 } from "../../src/wire/time.ts";

Deno.test("rfc3339() shows times before 1970 and those that its text cannot hold", () => {
  assertEquals(rfc3339(0n), "1970-01-01T00:00:00.000000000Z");
  assertEquals(rfc3339(-1n), "1969-12-31T23:59:59.999999999Z");
  assertEquals(rfc3339(-1_000_000_000n), "1969-12-31T23:59:59.000000000Z");
  assertEquals(rfc3339((1n << 63n) * 1_000_000_000n), "9999-12-31T23:59:59.999999999Z");
  assertEquals(rfc3339(-(1n << 63n) * 1_000_000_000n), "0000-01-01T00:00:00.000000000Z");
});
