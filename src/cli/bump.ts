import { UsageError } from "./exit.ts";
import type { Command } from "./command.ts";
import { readArgs, wholeNumber } from "./args.ts";

const USAGE = "innkeeper bump SCOPE --reason TEXT [--minimum N] [--key KEY] [--force]";

/** `innkeeper bump`: changes the generation of a scope and prints it as JSON. */
export const bump: Command = async (args, { client, out }) => {
  const words = readArgs(
    args,
    {
      reason: { type: "string" },
      minimum: { type: "string" },
      key: { type: "string" },
      force: { type: "boolean" },
    },
    1,
    USAGE,
  );
  const { flags, names: [scope = ""] } = words;
  const minimum = wholeNumber(words, "minimum");
  if (typeof flags["reason"] !== "string") throw new UsageError(`--reason is missing\n${USAGE}`);
  const { body } = await client.ask("POST", `/v1/scopes/${encodeURIComponent(scope)}/bumps`, {
    json: {
      reason: flags["reason"],
      ...(minimum === undefined ? {} : { minimum }),
      ...(flags["force"] === true ? { force: true } : {}),
    },
    headers: typeof flags["key"] === "string" ? { "idempotency-key": flags["key"] } : {},
  });
  out(JSON.stringify(body));
  return 0;
};
