import type { z } from "@hono/zod-openapi";
import type { ScopeView } from "../wire/generations.ts";
import { command } from "./command.ts";
import { fetchAll, printRows } from "./listing.ts";

/** `innkeeper scopes`: lists the scopes; the table begins with those that are not settled. */
export const scopes = command(
  "innkeeper scopes [--json]",
  { flags: { json: "switch" } },
  async ({ json }, { client, out }) => {
    const rows = await fetchAll<z.infer<typeof ScopeView>>(client, "/v1/scopes");
    if (json !== true) rows.sort((a, b) => b.outdated - a.outdated);
    printRows(out, rows, {
      json,
      head: "SCOPE  GENERATION  PHASE  CONFIRMED  REASON",
      cells: ({ name, generation, phase, tracked, outdated, reason }) => {
        const confirmed = `${tracked - outdated}/${tracked}`;
        return [name, generation, phase, confirmed, reason];
      },
    });
  },
);
