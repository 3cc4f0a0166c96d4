import { command } from "./command.ts";
import { path } from "./listing.ts";
import { flag, number, required, text } from "./options.ts";

/** `innkeeper bump`: changes the generation of a scope and prints it as JSON. */
export const bump = command({
  name: "bump",
  summary: "change the generation of a scope: notify every watcher",
  arguments: { scope: { help: "the scope" } },
  options: {
    reason: required(text("text", "why, for those who are notified and for the history")),
    minimum: number("n", "the new generation is at least this"),
    key: text("key", "an Idempotency-Key: repeated, it is the same bump"),
    force: flag("also while watchers have not quiesced"),
  },
  examples: ["bump vm-7 --reason restore", "bump vm-7 --reason restore --key restore-41 --json"],
  async run({ scope, reason, minimum, key, force }, { client }) {
    const { body } = await client.request("POST", path`/v1/scopes/${scope}/bumps`, {
      json: { reason, minimum, force },
      headers: key === undefined ? {} : { "idempotency-key": key },
    });
    return { result: body };
  },
});
