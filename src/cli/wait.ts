import type { Problem } from "../wire/problem.ts";
import { ProblemError } from "../client/problem_error.ts";
import { command } from "./command.ts";
import { EXIT } from "./exit.ts";
import { path, withQuery } from "./listing.ts";

const TIMEOUT_SECONDS_DEFAULT = 60;
/** So many of those who were not waited for are named. */
const NAMES_MAX = 10;

interface LateWatcher {
  readonly name: string;
  readonly presence: string;
  readonly reason?: string;
}

interface OpenBarrier {
  readonly generation: number;
  readonly confirmedCount: number;
  readonly lost: readonly { readonly name: string }[];
  readonly left: readonly { readonly name: string }[];
}

/**
 * `innkeeper wait`: ends with 0 once everybody who is waited for has confirmed, and at least one
 * has; else it names those who have not.
 */
export const wait = command(
  "innkeeper wait SCOPE [--timeout SECONDS] [--generation N] [--at-least N]",
  { names: ["scope"], flags: { timeout: "number", generation: "number", "at-least": "number" } },
  async ({ scope, timeout = TIMEOUT_SECONDS_DEFAULT, generation, ...flags }, context) => {
    const { client, out, err } = context;
    const barrier = withQuery(path`/v1/scopes/${scope}/barrier`, {
      // 0 means to look once. The API looks once when there is no timeout, and forever for 0.
      timeoutMs: timeout === 0 ? undefined : String(1000 * timeout),
      generation: generation?.toString(),
      // A scope that nobody watches yet would pass, which is the usual race after a clone.
      atLeast: String(flags["at-least"] ?? 1),
    });
    try {
      const headers = { accept: "application/json" };
      const { body } = await client.request<OpenBarrier>("GET", barrier, { headers });
      out(`generation ${body.generation} of ${scope} is confirmed by ${whoOf(body)}`);
      return EXIT.clean;
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      explain(error.problem, err);
      return EXIT.refused;
    }
  },
);

function whoOf({ confirmedCount, lost, left }: OpenBarrier): string {
  const excused = [
    ...lost.map(({ name }) => `${name} (lost)`),
    ...left.map(({ name }) => `${name} (left)`),
  ];
  return excused.length === 0
    ? "all"
    : `${confirmedCount}; not waited for: ${excused.slice(0, NAMES_MAX).join(", ")}`;
}

function explain({ detail, watchers }: Problem, err: (line: string) => void): void {
  err(detail);
  for (const { name, presence, reason } of (watchers ?? []) as LateWatcher[]) {
    err(`  ${name}: ${presence}${reason === undefined ? "" : `, ${reason}`}`);
  }
}
