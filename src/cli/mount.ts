import { command, type GroupSpec } from "./command.ts";

const status = command({
  name: "status",
  summary: "show what is mounted, and what it is doing",
  examples: ["mount status"],
  async run(_none, { client }) {
    return { result: (await client.request("GET", "/v1/mount")).body };
  },
});

/** `innkeeper mount`: the parts of the daemon as files. */
export const mount: GroupSpec = {
  name: "mount",
  summary: "the parts of the daemon as files",
  actions: [status],
};
