import type { z } from "@hono/zod-openapi";
import type { WatcherView } from "../wire/generations.ts";
import { command } from "./command.ts";
import { fetchAll, path, printRows } from "./listing.ts";

/** `innkeeper watchers`: lists the watchers of a scope; the table begins with those who are late. */
export const watchers = command(
  "innkeeper watchers SCOPE [--json]",
  { names: ["scope"], flags: { json: "switch" } },
  async ({ scope, json }, { client, out }) => {
    const url = path`/v1/scopes/${scope}/watchers`;
    const rows = await fetchAll<z.infer<typeof WatcherView>>(client, url);
    const isLate = (row: typeof rows[number]): number => Number(row.tracked && row.outdated);
    if (json !== true) rows.sort((a, b) => isLate(b) - isLate(a));
    printRows(out, rows, {
      json,
      head: "WATCHER  NAME  PRESENCE  CONFIRMED  FAILURE",
      cells: ({ watcher, name, presence, tracked, outdated, failure = "-" }) => {
        const confirmed = !tracked ? "untracked" : outdated ? "no" : "yes";
        return [watcher, name, presence, confirmed, failure];
      },
    });
  },
);

/** `innkeeper release`: releases a watcher, so that no barrier waits for it any more. */
export const release = command(
  "innkeeper release SCOPE WATCHER",
  { names: ["scope", "watcher"] },
  async ({ scope, watcher }, { client, err }) => {
    await client.request("DELETE", path`/v1/scopes/${scope}/watchers/${watcher}`);
    err(`${watcher} of ${scope} is released`);
  },
);
