import type { Problem } from "../wire/problem.ts";
import { ProblemError } from "../client/problem_error.ts";
import type { Command } from "./command.ts";
import { readArgs, wholeNumber } from "./args.ts";

const USAGE = "innkeeper wait SCOPE [--timeout SECONDS] [--generation N]";
const TIMEOUT_SECONDS_DEFAULT = 60;

interface InTheWay {
  readonly name: string;
  readonly presence: string;
  readonly reason?: string;
}

/** `innkeeper wait`: ends with 0 once every tracked watcher has confirmed, else names who is late. */
export const wait: Command = async (args, { client, out, err }) => {
  const words = readArgs(
    args,
    { timeout: { type: "string" }, generation: { type: "string" } },
    1,
    USAGE,
  );
  const [scope = ""] = words.names;
  const timeoutMs = 1000 * (wholeNumber(words, "timeout") ?? TIMEOUT_SECONDS_DEFAULT);
  const generation = wholeNumber(words, "generation");
  const query = generation === undefined ? "" : `&generation=${generation}`;
  // The driver's 0 means no limit; here it means: look once.
  const wait = timeoutMs === 0 ? "" : `timeoutMs=${timeoutMs}`;
  const path = `/v1/scopes/${encodeURIComponent(scope)}/barrier?${wait}${query}`;
  try {
    const { headers } = await client.ask("GET", path);
    out(`generation ${headers.get("innkeeper-generation")} of ${scope} is confirmed by all`);
    return 0;
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    explain(error.problem, err);
    return 1;
  }
};

function explain({ detail, watchers }: Problem, err: (line: string) => void): void {
  err(detail);
  for (const { name, presence, reason } of (watchers ?? []) as InTheWay[]) {
    err(`  ${name}: ${presence}${reason === undefined ? "" : `, ${reason}`}`);
  }
}
