import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { U64_MAX } from "../../src/core/limits.ts";
import { faultOf, Name, U64, wordOf } from "../../src/wire/scalars.ts";

function codeOf(schema: typeof U64 | typeof Name, value: unknown): string {
  const parsed = schema.safeParse(value);
  return parsed.success ? "ok" : faultOf(parsed.error, "test").code;
}

Deno.test("U64 takes every 64-bit number as text and every safe integer as a number", () => {
  fc.assert(fc.property(fc.bigInt(0n, U64_MAX), (value) => U64.parse(String(value)) === value));
  fc.assert(fc.property(fc.maxSafeNat(), (value) => U64.parse(value) === BigInt(value)));
});

for (
  const [value, code] of [
    ["18446744073709551616", "value-not-allowed"],
    ["-1", "value-not-allowed"],
    ["007", "value-not-allowed"],
    [-1, "value-not-allowed"],
    [2 ** 53, "value-not-allowed"],
    [1.5, "malformed-request"],
    [NaN, "malformed-request"],
    ["1e3", "malformed-request"],
    ["", "malformed-request"],
    [" 1", "malformed-request"],
    ["0x10", "malformed-request"],
    [null, "malformed-request"],
    [true, "malformed-request"],
    [{}, "malformed-request"],
    ["9".repeat(5000), "value-not-allowed"],
  ] as const
) {
  Deno.test(`U64 refuses ${JSON.stringify(value).slice(0, 30)} as ${code}`, () => {
    assertEquals(codeOf(U64, value), code);
  });
}

Deno.test("Name takes 1 to 64 letters, digits, dots, dashes and underscores", () => {
  for (const good of ["a", "0", "vm-7", "a.b_c", "a".repeat(64)]) {
    assertEquals(codeOf(Name, good), "ok");
  }
  for (const bad of ["", ".", "..", "-a", "A", "a/b", "a\n", "a".repeat(65), "ä"]) {
    assertEquals(codeOf(Name, bad), "bad-name", JSON.stringify(bad));
  }
  assertEquals(codeOf(Name, 7), "malformed-request");
});

Deno.test("wordOf() takes its words, does not allow others and cannot read what is no text", () => {
  const schema = wordOf(["simple", "multi"]);
  const codes = ["simple", "other", "", 1, null, undefined].map((value) => {
    const parsed = schema.safeParse(value);
    return parsed.success ? parsed.data : faultOf(parsed.error, "test").code;
  });
  assertEquals(codes, [
    "simple",
    "value-not-allowed",
    "value-not-allowed",
    "malformed-request",
    "malformed-request",
    "malformed-request",
  ]);
});
