import { command } from "./command.ts";
import { path, withQuery } from "./listing.ts";
import { number } from "./options.ts";

const TIMEOUT_SECONDS_DEFAULT = 60;
/** So many of those who were not waited for are named. */
const NAMES_MAX = 10;

interface OpenBarrier {
  readonly generation: number;
  readonly confirmedCount: number;
  readonly lost: readonly { readonly name: string }[];
  readonly left: readonly { readonly name: string }[];
  readonly dead: readonly { readonly name: string }[];
  readonly forgotten: readonly { readonly name: string }[];
}

/**
 * `innkeeper wait`: ends with 0 once everybody who is waited for has confirmed, and at least one
 * has; else it names those who have not.
 */
export const wait = command({
  name: "wait",
  summary: "wait until all have confirmed, or say who has not",
  details: "The statuses 8, 9 and 10 tell who is late, who could not adapt, and that nobody " +
    "watches. Whoever is in the way is named with the reason.",
  arguments: { scope: { help: "the scope" } },
  options: {
    timeout: number("seconds", `how long to wait; 0 looks once [${TIMEOUT_SECONDS_DEFAULT}]`),
    generation: number("n", "only for this generation; another one is refused"),
    "at-least": number("n", "so many must have confirmed [1]"),
  },
  examples: ["wait vm-7 --timeout 10 && echo safe to route"],
  async run({ scope, timeout = TIMEOUT_SECONDS_DEFAULT, generation, ...flags }, { client }) {
    const barrier = withQuery(path`/v1/scopes/${scope}/barrier`, {
      // 0 means to look once. The API looks once when there is no timeout, and forever for 0.
      timeoutMs: timeout === 0 ? undefined : String(1000 * timeout),
      generation: generation?.toString(),
      // A scope that nobody watches yet would pass, which is the usual race after a clone.
      atLeast: String(flags["at-least"] ?? 1),
    });
    const headers = { accept: "application/json" };
    const { body } = await client.request<OpenBarrier>("GET", barrier, { headers });
    const text = `generation ${body.generation} of ${scope} is confirmed by ${whoOf(body)}`;
    return { result: body, text };
  },
});

function whoOf({ confirmedCount, lost, left, dead, forgotten }: OpenBarrier): string {
  const excused = [
    ...lost.map(({ name }) => `${name} (lost)`),
    ...left.map(({ name }) => `${name} (left)`),
    ...dead.map(({ name }) => `${name} (dead)`),
    ...forgotten.map(({ name }) => `${name} (forgotten)`),
  ];
  return excused.length === 0
    ? "all"
    : `${confirmedCount}; not waited for: ${excused.slice(0, NAMES_MAX).join(", ")}`;
}
