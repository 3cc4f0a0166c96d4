import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  type Grant,
  grantText,
  parseGrant,
  permits,
  splitGrants,
} from "../../src/access/grants.ts";
import { NAME_KINDS, type Permission, PERMISSIONS, type Target } from "../../src/core/rights.ts";

const all = (...texts: string[]): Grant[] => texts.map(parseGrant);
const on = (kind: Target["kind"], name: string): Target => ({ kind, name });

Deno.test("permits() lets admin do everything and others what they have", () => {
  assertEquals(permits(all("admin"), "bump"), true);
  assertEquals(permits(all("admin"), "write", on("roots", "images")), true);
  assertEquals(permits(all("read", "bump"), "bump"), true);
  assertEquals(permits(all("read", "bump"), "bump", on("scopes", "vm-1")), true);
  assertEquals(permits(all("read", "bump"), "admin"), false);
});

Deno.test("permits() holds a pattern against the names of its kind, and against nothing else", () => {
  const grants = all("watch:tenant-b-*", "guest:tenant-b-1", "read:roots/images", "bump:*");
  const may = (permission: Permission, kind: Target["kind"], name: string) =>
    permits(grants, permission, on(kind, name));
  assertEquals(may("watch", "scopes", "tenant-b-1"), true);
  assertEquals(may("watch", "scopes", "tenant-b-"), true);
  assertEquals(may("watch", "scopes", "tenant-b"), false);
  assertEquals(may("watch", "guests", "tenant-b-1"), false);
  assertEquals(may("guest", "guests", "tenant-b-1"), true);
  assertEquals(may("guest", "guests", "tenant-b-11"), false);
  assertEquals(may("read", "roots", "images"), true);
  assertEquals(may("read", "scopes", "images"), false);
  assertEquals(may("bump", "scopes", "anything"), true);
  for (const one of PERMISSIONS) assertEquals(permits(grants, one), false, `${one} has no name`);
});

Deno.test("parseGrant() names what it cannot read, and takes no pattern but a name or a prefix", () => {
  const refused = (text: string, why: string) =>
    assertThrows(() => parseGrant(text), RangeError, why);
  for (const text of ["", "fly", "Read", "read ", "*", ":a"]) refused(text, "permission");
  refused("admin:a", "no pattern");
  refused("admin:*", "no pattern");
  refused("read:rooms/a", '"rooms" is no kind');
  for (
    const pattern of ["", "*a", "a*b", "a**", "**", "A", "a b", "-a", "a,b", "a".repeat(65), "?"]
  ) {
    refused(`read:${pattern}`, "pattern");
    refused(`read:roots/${pattern}`, "pattern");
  }
  refused("read:a/b", "kind");
  refused("read:scopes/a/b", "pattern");
  refused("read:remotes/", "pattern");
  refused("read:remotes/https://a/*/b", "pattern");
  assertEquals(
    parseGrant("read:remotes/https://a.example/v1/*").names?.pattern,
    "https://a.example/v1/*",
  );
  assertEquals(parseGrant("read:" + "a".repeat(64) + "*").names?.kind, "scopes");
});

Deno.test("splitGrants() reads grants that it knows and names one that it does not", () => {
  assertEquals(splitGrants("read, watch:a-*", ","), ["read", "watch:a-*"]);
  assertThrows(() => splitGrants("read+fly", "+"), RangeError, '"fly"');
  assertThrows(() => splitGrants("", ","), RangeError);
});

/** What the page says in words, done the slowest way: every name that a grant means is listed. */
function naivelyPermits(grants: readonly string[], needed: string, target?: Target): boolean {
  const usual = { guest: "guests", irq: "guests" } as Record<string, string>;
  return grants.some((text) => {
    if (text === "admin") return true;
    const [permission = "", rest] = text.split(":");
    if (permission !== needed) return false;
    if (rest === undefined) return true;
    if (target === undefined) return false;
    const [kind, pattern = ""] = rest.includes("/")
      ? rest.split("/")
      : [usual[permission] ?? "scopes", rest];
    if (kind !== target.kind) return false;
    const letters = [...target.name];
    for (const [index, letter] of [...pattern].entries()) {
      if (letter === "*") return true;
      if (letters[index] !== letter) return false;
    }
    return letters.length === pattern.length;
  });
}

Deno.test("permits() agrees with a naive model on any grants and targets", () => {
  const name = fc.string({ unit: fc.constantFrom("a", "b", "-", "."), minLength: 0, maxLength: 4 })
    .map((rest) => `a${rest}`);
  const kind = fc.constantFrom(...NAME_KINDS);
  const permission = fc.constantFrom(...PERMISSIONS);
  const pattern = fc.oneof(name, name.map((one) => `${one}*`), fc.constant("*"));
  const grant = fc.oneof(
    permission,
    fc.tuple(permission.filter((one) => one !== "admin"), fc.option(kind), pattern).map((
      [one, of, names],
    ) => `${one}:${of === null ? "" : `${of}/`}${names}`),
  );
  const target = fc.option(fc.record({ kind, name }), { nil: undefined });
  let permitted = 0;
  fc.assert(
    fc.property(fc.array(grant, { maxLength: 4 }), permission, target, (grants, needed, wanted) => {
      const expected = naivelyPermits(grants, needed, wanted);
      assertEquals(permits(grants.map(parseGrant), needed, wanted), expected);
      const canonical = grants.map((one) => grantText(parseGrant(one)));
      assertEquals(permits(canonical.map(parseGrant), needed, wanted), expected, "as written anew");
      if (expected && !grants.includes("admin") && !grants.includes(needed)) permitted++;
    }),
    { numRuns: 20_000 },
  );
  if (permitted < 100) throw new Error(`only ${permitted} were permitted by a pattern`);
});
