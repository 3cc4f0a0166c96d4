import { assertEquals, assertThrows } from "@std/assert";
import { Fault } from "../../../src/core/faults.ts";
import { matchingTags, selectContent } from "../../../src/wire/http/conditions.ts";

const VERSION = { size: 100n, etag: '"a-1"' };
const NONE = { range: undefined, ifRange: undefined, ifMatch: undefined, ifNoneMatch: undefined };
const WHOLE = { status: 200, ranges: [{ start: 0n, end: 100n }] } as const;

const select = (headers: Partial<Record<keyof typeof NONE, string>>, version = VERSION) =>
  selectContent({ ...NONE, ...headers }, version);

Deno.test("matchingTags() names the versions of If-Match, and none when any will do", () => {
  assertEquals(matchingTags(undefined), undefined);
  assertEquals(matchingTags(" * "), undefined);
  assertEquals(matchingTags('"a", W/"b" ,"c,d"'), ['"a"', 'W/"b"', '"c,d"']);
  assertEquals(matchingTags("nonsense"), []);
});

Deno.test("selectContent() sends the whole content, or the ranges that are asked for", () => {
  assertEquals(select({}), WHOLE);
  assertEquals(select({ range: "bytes=0-9,90-" }), {
    status: 206,
    ranges: [{ start: 0n, end: 10n }, { start: 90n, end: 100n }],
  });
  assertThrows(() => select({ range: "bytes=100-" }), Fault);
});

Deno.test("selectContent() sends nothing of another version than If-Match names", () => {
  assertEquals(select({ ifMatch: '"a-1"' }), WHOLE);
  assertEquals(select({ ifMatch: "*" }), WHOLE);
  for (const ifMatch of ['"a-2"', 'W/"a-1"', ""]) {
    assertEquals(select({ ifMatch }), { status: 412 }, ifMatch);
  }
  const changing = { size: 100n, etag: undefined };
  assertEquals(selectContent({ ...NONE, ifMatch: '"a-1"' }, changing), { status: 412 });
});

Deno.test("selectContent() sends nothing that If-None-Match names, weakly or not", () => {
  for (const ifNoneMatch of ['"a-1"', 'W/"a-1"', '"x", "a-1"', "*"]) {
    assertEquals(select({ ifNoneMatch, range: "bytes=0-9" }), { status: 304 }, ifNoneMatch);
  }
  assertEquals(select({ ifNoneMatch: '"a-2"' }), WHOLE);
  const changing = { size: 100n, etag: undefined };
  assertEquals(selectContent({ ...NONE, ifNoneMatch: '"a-1"' }, changing), WHOLE);
});

Deno.test("selectContent() judges If-Match before If-None-Match", () => {
  assertEquals(select({ ifMatch: '"a-2"', ifNoneMatch: '"a-1"' }), { status: 412 });
});

Deno.test("selectContent() takes a range only of the version that If-Range names", () => {
  const range = "bytes=0-9";
  assertEquals(select({ range, ifRange: '"a-1"' }).status, 206);
  assertEquals(select({ range, ifRange: 'W/"a-1"' }), WHOLE);
  assertEquals(select({ range: "bytes=100-", ifRange: '"a-2"' }), WHOLE);
});
