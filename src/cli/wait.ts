import type { Problem } from "../wire/problem.ts";
import { ProblemError } from "../client/problem_error.ts";
import { command } from "./command.ts";
import { EXIT } from "./exit.ts";
import { path, withQuery } from "./listing.ts";

const TIMEOUT_SECONDS_DEFAULT = 60;

interface LateWatcher {
  readonly name: string;
  readonly presence: string;
  readonly reason?: string;
}

/**
 * `innkeeper wait`: ends with 0 once every tracked watcher has confirmed, else names those who
 * have not.
 */
export const wait = command(
  "innkeeper wait SCOPE [--timeout SECONDS] [--generation N]",
  { names: ["scope"], flags: { timeout: "number", generation: "number" } },
  async ({ scope, timeout = TIMEOUT_SECONDS_DEFAULT, generation }, { client, out, err }) => {
    const barrier = withQuery(path`/v1/scopes/${scope}/barrier`, {
      // 0 means to look once. The API looks once when there is no timeout, and forever for 0.
      timeoutMs: timeout === 0 ? undefined : String(1000 * timeout),
      generation: generation?.toString(),
    });
    try {
      const { headers } = await client.request("GET", barrier);
      out(`generation ${headers.get("innkeeper-generation")} of ${scope} is confirmed by all`);
      return EXIT.clean;
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      explain(error.problem, err);
      return EXIT.refused;
    }
  },
);

function explain({ detail, watchers }: Problem, err: (line: string) => void): void {
  err(detail);
  for (const { name, presence, reason } of (watchers ?? []) as LateWatcher[]) {
    err(`  ${name}: ${presence}${reason === undefined ? "" : `, ${reason}`}`);
  }
}
