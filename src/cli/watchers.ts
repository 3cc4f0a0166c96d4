import type { z } from "@hono/zod-openapi";
import type { WatcherView } from "../wire/generations.ts";
import { command } from "./command.ts";
import { fetchAll, path, tableOf } from "./listing.ts";

const SCOPE = { help: "the scope" };

/** `innkeeper watchers`: lists the watchers of a scope; the table begins with those who are late. */
export const watchers = command({
  name: "watchers",
  summary: "list who watches a scope, first those who have not confirmed",
  arguments: { scope: SCOPE },
  examples: ["watchers vm-7", "watchers vm-7 --json"],
  async run({ scope }, { client, json }) {
    const url = path`/v1/scopes/${scope}/watchers`;
    const rows = await fetchAll<z.infer<typeof WatcherView>>(client, url);
    const isLate = (row: typeof rows[number]): number => Number(row.tracked && row.outdated);
    if (!json) rows.sort((a, b) => isLate(b) - isLate(a));
    const table = tableOf("WATCHER  NAME  PRESENCE  CONFIRMED  FAILURE", rows, (row) => {
      const { watcher, name, presence, tracked, outdated, failure = "-" } = row;
      return [watcher, name, presence, !tracked ? "untracked" : outdated ? "no" : "yes", failure];
    });
    return { rows, table };
  },
});

/** `innkeeper release`: releases a watcher, so that no barrier waits for it any more. */
export const release = command({
  name: "release",
  summary: "release a watcher that is gone for good",
  details: "No barrier waits for it any more. `innkeeper watchers` shows what each is called.",
  arguments: { scope: SCOPE, watcher: { help: "its id, such as watcher-3" } },
  examples: ["release vm-7 watcher-3"],
  async run({ scope, watcher }, { client }) {
    await client.request("DELETE", path`/v1/scopes/${scope}/watchers/${watcher}`);
    return { note: `${watcher} of ${scope} is released` };
  },
});
