import { assert, assertEquals, assertThrows } from "@std/assert";
import { Fault } from "../../src/core/faults.ts";
import { parseTokenFile, Principal, Tokens } from "../../src/access/tokens.ts";

Deno.test("parseTokenFile() names the line of a mistake and never the token", () => {
  for (const text of ["ok\nsecret fly", "ok\nsecret read extra", "ok\nsecret read,"]) {
    const error = assertThrows(() => parseTokenFile(text), RangeError, "line 2");
    assert(!error.message.includes("secret"), error.message);
  }
  assertEquals(parseTokenFile("\n# only a comment\n  \n"), []);
});

Deno.test("Principal.require() lets admin do everything and others what they have", () => {
  new Principal("a", ["admin"]).require("bump");
  new Principal("a", ["bump"]).require("bump");
  const code = (permission: "bump" | "admin") =>
    assertThrows(() => new Principal("a", ["read"]).require(permission), Fault).code;
  assertEquals([code("bump"), code("admin")], ["bump-not-permitted", "not-permitted"]);
});

Deno.test("Tokens.authenticate() knows whole tokens only", () => {
  const tokens = new Tokens([{ token: "abcdef", permissions: ["read"] }]);
  assert(tokens.authenticate("abcdef").may("read"));
  for (const wrong of ["", "a", "abcde", "abcdefg", "abcdefabcdef", "ABCDEF"]) {
    assertThrows(() => tokens.authenticate(wrong), Fault);
  }
});

Deno.test("Tokens.replace() keeps the principal of a token that stays, and only while its rights do", () => {
  const tokens = new Tokens([
    { token: "stays", permissions: ["read"] },
    { token: "goes", permissions: ["read"] },
    { token: "loses", permissions: ["admin"] },
  ]);
  const [stays, goes, loses] = ["stays", "goes", "loses"].map((one) =>
    tokens.authenticate(one)
  ) as [
    Principal,
    Principal,
    Principal,
  ];
  tokens.replace([{ token: "loses", permissions: ["read"] }, {
    token: "stays",
    permissions: ["read"],
  }]);
  assertEquals([stays, goes, loses].map((one) => tokens.knows(one)), [true, false, false]);
  assertThrows(() => tokens.authenticate("goes"), Fault);
  assert(!tokens.authenticate("loses").may("write"));
});

Deno.test("parseTokenFile() reads names and patterns, and holds lines of one name to equal grants", () => {
  assertEquals(
    parseTokenFile(
      "a name=ci-7 watch:x-*,read\nb name=ci-7 read,watch:scopes/x-*\nc scopes=read\n" +
        "d name=all\ne permissions=read:roots/images\n",
    ).map(({ name, permissions }) => [name, ...permissions]),
    [
      ["ci-7", "watch:x-*", "read"],
      ["ci-7", "read", "watch:scopes/x-*"],
      [undefined, "read"],
      ["all", "admin"],
      [undefined, "read:roots/images"],
    ],
  );
  const refused = (text: string, why: string) =>
    assertThrows(() => parseTokenFile(text), RangeError, why);
  refused("a name=ci read\nb name=ci read,watch", "line 2");
  refused("a name=ci read\nb name=ci", '"ci" has other grants');
  refused("a name= read", "is no name");
  refused("a name=token:00 read", "is no name");
  refused("a name=A read", "is no name");
  refused("a read name=a", "more than");
  refused("a admin:x", "takes no pattern");
});

Deno.test("Tokens names a principal by its line, or by a hash that is not the token", () => {
  const entries = parseTokenFile("secret-one name=ci read\nsecret-two read\n");
  const tokens = new Tokens(entries);
  assertEquals(tokens.authenticate("secret-one").name, "ci");
  const { name } = tokens.authenticate("secret-two");
  assert(/^token:[0-9a-f]{16}$/.test(name), name);
  assertEquals(new Tokens(entries.toReversed()).authenticate("secret-two").name, name);
});

Deno.test("Tokens.replace() ends whoever was removed or narrowed, and no one else", () => {
  const before =
    "a name=stays read\nb name=narrowed read,watch\nc name=gone\nd name=renamed read\n";
  const tokens = new Tokens(parseTokenFile(before));
  const known = ["a", "b", "c", "d"].map((token) => tokens.authenticate(token));
  tokens.replace(
    parseTokenFile("a name=stays scopes=read\nb name=narrowed read\nd name=other read\n"),
  );
  assertEquals(known.map((one) => one.ended.aborted), [false, true, true, true]);
  assertEquals(known.map((one) => tokens.knows(one)), [true, false, false, false]);
  tokens.replace(parseTokenFile("new name=stays read\na name=stays read\n"));
  assertEquals(known[0]?.ended.aborted, false);
  assertEquals(tokens.authenticate("new").name, "stays");
});
