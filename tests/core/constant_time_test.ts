import { assertEquals } from "@std/assert";
import { isSameText } from "../../src/core/constant_time.ts";

Deno.test("isSameText() accepts the whole secret only", () => {
  for (const wrong of ["", "a", "abcde", "abcdefg", "abcdefabcdef", "ABCDEF", "bbcdef"]) {
    assertEquals(isSameText(wrong, "abcdef"), false, wrong);
  }
  assertEquals(isSameText("abcdef", "abcdef"), true);
  assertEquals([isSameText("a", ""), isSameText("", "")], [false, true]);
});
