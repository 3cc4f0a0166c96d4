import { assert, assertEquals } from "@std/assert";
import type { Permission } from "../../src/core/rights.ts";
import { Principal } from "../../src/access/tokens.ts";
import { needOf } from "../../routes/http/rights.ts";
import { Api } from "../support/api.ts";
import { DECLARED, GUARDED, rightsTable } from "../support/declared_routes.ts";
import { ROOT, textOf } from "../support/tree.ts";

Deno.test("every endpoint names the right it needs, but for tickets", () => {
  assert(DECLARED.length > 80, `only ${DECLARED.length} endpoints were found`);
  assertEquals(
    DECLARED.filter(({ needs }) => needs === undefined).map(({ path }) => path),
    // A ticket permits no more than its caller may do.
    ["/v1/tickets"],
  );
});

Deno.test("every endpoint refuses a caller who has every permission but the one it needs", async () => {
  const api = Api.of(...GUARDED);
  const most: Permission[] = ["read", "watch", "bump", "write", "guest", "irq"];
  for (const { method, path, needs } of DECLARED) {
    if (needs === undefined) continue;
    const { permission } = needOf(needs);
    const principal = new Principal("test", most.filter((one) => one !== permission));
    const url = path.replaceAll(/\{\w+\}/g, "1");
    const code = permission === "bump" ? "bump-not-permitted" : "not-permitted";
    await api.refused(code, method.toUpperCase(), url, { listener: { kind: "unix", principal } });
  }
});

const [BEGIN, END] = ["<!-- rights: generated from the routes -->", "<!-- /rights -->"];

/** Cells without the blanks by which the formatter aligns them. */
const bare = (table: string): string[] =>
  table.trim().split("\n").map((row) => row.replaceAll(/ *\| */g, "|").replaceAll(/-+/g, "-"));

Deno.test("docs/access.md has the table of rights that the routes declare; INNKEEPER_TEST_WRITE=1 writes it", () => {
  const page = textOf("docs/access.md");
  const [before, rest = ""] = page.split(BEGIN);
  const [written = "", after] = rest.split(END);
  if (Deno.env.get("INNKEEPER_TEST_WRITE") === "1") {
    const text = `${before}${BEGIN}\n\n${rightsTable()}\n\n${END}${after}`;
    return Deno.writeTextFileSync(new URL("docs/access.md", ROOT), text);
  }
  assertEquals(bare(written), bare(rightsTable()));
});
