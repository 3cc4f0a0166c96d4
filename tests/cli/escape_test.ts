import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { escapeLines, escapeText, jsonLine } from "../../src/cli/escape.ts";

/** What a terminal may be given: no control character, no mark that turns or breaks a line. */
const isSafe = (text: string): boolean =>
  !/[\p{Cc}\p{Zl}\p{Zp}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u.test(text);

for (
  const [from, to] of [
    ["\x1b[1A\x1b[2Kall confirmed", "\\x1b[1A\\x1b[2Kall confirmed"],
    ["a\rb\nc\td\0", "a\\x0db\\nc\\td\\x00"],
    ["\x7f\x9b31m", "\\x7f\\x9b31m"],
    ["ab\u202ecd\u2066", "ab\\u202ecd\\u2066"],
    ["\u2028", "\\u2028"],
    ["plain äß漢 🙂", "plain äß漢 🙂"],
  ] as const
) {
  Deno.test(`escapeText() shows ${JSON.stringify(to)}`, () => assertEquals(escapeText(from), to));
}

Deno.test("escapeText(), escapeLines() and jsonLine() leave a terminal nothing to obey", () => {
  const text = fc.string({ unit: "binary" });
  fc.assert(fc.property(text, (value) => {
    assert(isSafe(escapeText(value)));
    assert(escapeLines(value).split("\n").every(isSafe));
    assert(isSafe(jsonLine({ [value]: value })));
    assertEquals(JSON.parse(jsonLine([value])), [value]);
  }));
});
