import { command } from "./command.ts";
import { UsageError } from "./exit.ts";
import { path } from "./listing.ts";

const USAGE = "innkeeper bump SCOPE --reason TEXT [--minimum N] [--key KEY] [--force]";
const FLAGS = { reason: "text", minimum: "number", key: "text", force: "switch" } as const;

/** `innkeeper bump`: changes the generation of a scope and prints it as JSON. */
export const bump = command(
  USAGE,
  { names: ["scope"], flags: FLAGS },
  async ({ scope, reason, minimum, key, force }, { client }) => {
    if (reason === undefined) throw new UsageError(`--reason is missing\nusage: ${USAGE}`);
    const { body } = await client.request("POST", path`/v1/scopes/${scope}/bumps`, {
      json: { reason, minimum, force },
      headers: key === undefined ? {} : { "idempotency-key": key },
    });
    return body;
  },
);
