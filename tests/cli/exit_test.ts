import { assertEquals } from "@std/assert";
import { EXIT, EXIT_TABLE } from "../../src/cli/exit.ts";
import { textOf } from "../support/tree.ts";

Deno.test("EXIT_TABLE is the table of docs/cli.md, row by row", () => {
  const rows = [...textOf("docs/cli.md").matchAll(/^\| (\d+) +\| (.+?) +\| (.+?) +\|$/gm)]
    .map(([, status, ...texts]) => [Number(status), ...texts]);
  assertEquals(rows, Object.values(EXIT_TABLE).map((row) => [...row]));
});

Deno.test("EXIT_TABLE gives no status twice, and those of the daemon have not changed", () => {
  const statuses = Object.values(EXIT_TABLE).map(([status]) => status);
  assertEquals(new Set(statuses).size, statuses.length);
  assertEquals([EXIT.done, EXIT.usage, EXIT.folder, EXIT.listen], [0, 2, 3, 4]);
});
