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
