import type { Command } from "./command.ts";
import { readArgs } from "./args.ts";

interface ScopeRow {
  readonly name: string;
  readonly generation: number;
  readonly phase: string;
  readonly tracked: number;
  readonly outdated: number;
  readonly reason: string;
}

/** `innkeeper scopes`: lists the scopes, those that are not settled first. */
export const scopes: Command = async (args, { client, out }) => {
  const { flags } = readArgs(args, { json: { type: "boolean" } }, 0, "innkeeper scopes [--json]");
  const rows: ScopeRow[] = [];
  for (let cursor = ""; cursor !== undefined;) {
    const query = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const { body } = await client.ask<{ items: ScopeRow[]; next: string }>(
      "GET",
      `/v1/scopes?limit=1000${query}`,
    );
    rows.push(...body.items);
    cursor = body.next;
  }
  if (flags["json"] === true) {
    for (const row of rows) out(JSON.stringify(row));
    return 0;
  }
  rows.sort((a, b) => b.outdated - a.outdated);
  out("SCOPE  GENERATION  PHASE  CONFIRMED  REASON");
  for (const { name, generation, phase, tracked, outdated, reason } of rows) {
    out(`${name}  ${generation}  ${phase}  ${tracked - outdated}/${tracked}  ${reason}`);
  }
  return 0;
};
