import { command } from "./command.ts";
import { fetchAll, printRows } from "./listing.ts";

interface ScopeRow {
  readonly name: string;
  readonly generation: number;
  readonly phase: string;
  readonly tracked: number;
  readonly outdated: number;
  readonly reason: string;
}

/** `innkeeper scopes`: lists the scopes; the table begins with those that are not settled. */
export const scopes = command(
  "innkeeper scopes [--json]",
  { flags: { json: "switch" } },
  async ({ json }, { client, out }) => {
    const rows = await fetchAll<ScopeRow>(client, "/v1/scopes");
    if (json !== true) rows.sort((a, b) => b.outdated - a.outdated);
    printRows(out, rows, {
      json,
      head: "SCOPE  GENERATION  PHASE  CONFIRMED  REASON",
      cells: ({ name, generation, phase, tracked, outdated, reason }) => [
        ...[name, generation, phase, `${tracked - outdated}/${tracked}`, reason],
      ],
    });
  },
);
