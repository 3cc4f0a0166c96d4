import { assertEquals, assertThrows } from "@std/assert";
import { parsePermissions, permits } from "../../src/access/permissions.ts";

Deno.test("permits() lets admin do everything and others what they have", () => {
  assertEquals(permits(new Set(["admin"]), "bump"), true);
  assertEquals(permits(new Set(["read", "bump"]), "bump"), true);
  assertEquals(permits(new Set(["read", "bump"]), "admin"), false);
});

Deno.test("parsePermissions() reads words it knows and names one it does not", () => {
  assertEquals(parsePermissions("read, watch", ","), ["read", "watch"]);
  assertThrows(() => parsePermissions("read+fly", "+"), RangeError, '"fly"');
  assertThrows(() => parsePermissions("", ","), RangeError);
});
