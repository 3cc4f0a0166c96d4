import type { z } from "@hono/zod-openapi";
import type { ScopeView } from "../wire/generations.ts";
import { command } from "./command.ts";
import { fetchAll, tableOf } from "./listing.ts";

/** `innkeeper scopes`: lists the scopes; the table begins with those that are not settled. */
export const scopes = command({
  name: "scopes",
  summary: "list the scopes, first those that somebody has not confirmed",
  examples: ["scopes", "scopes --json"],
  async run(_none, { client, json }) {
    const rows = await fetchAll<z.infer<typeof ScopeView>>(client, "/v1/scopes");
    if (!json) rows.sort((a, b) => b.outdated - a.outdated);
    const table = tableOf("SCOPE  GENERATION  PHASE  CONFIRMED  REASON", rows, (row) => {
      const { name, generation, phase, tracked, outdated, reason } = row;
      return [name, generation, phase, `${tracked - outdated}/${tracked}`, reason];
    });
    return { rows, table };
  },
});
