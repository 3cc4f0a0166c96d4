import { delay } from "@std/async";
import { HOOK_RETRIES_MAX, HOOK_RETRY_MS_MAX, SCOPE_LOOK_MS } from "../core/limits.ts";
import { ProblemError } from "../client/problem_error.ts";
import { type Generation, Watcher } from "../client/watcher.ts";
import { command, type CommandContext } from "./command.ts";
import { EXIT, ExitError, UsageError } from "./exit.ts";
import { runHook } from "./hook.ts";
import { Identity, identityPath } from "./identity.ts";
import { path } from "./listing.ts";
import { number, required, text } from "./options.ts";
import { ownProcess } from "./own_process.ts";
import { QuiesceHooks } from "./quiesce_hooks.ts";

const EXEC_TIMEOUT_SECONDS_DEFAULT = 60;
/**
 * `innkeeper watch`: runs a command at each generation and confirms only when it ends with 0;
 * otherwise it reports the failure to the barrier. With `--json` it prints each generation, and
 * neither confirms nor is waited for. It runs until SIGINT or SIGTERM, and then releases the
 * watcher, unless a generation is open: then the watcher stays behind as not confirmed, and a later
 * process of the same name does the work (docs/generations.md#stop).
 */
export const watch = command({
  name: "watch",
  summary: "run a command at each generation and confirm when it succeeds",
  details: "One of --exec and --json is needed. With --json each generation is printed, and this " +
    "watcher neither confirms nor is waited for. The status is 8 when it is stopped before it " +
    "has confirmed: it is left behind then, and the barrier stays shut.",
  arguments: { scope: { help: "the scope" } },
  options: {
    name: required(text("name", "what the watcher is called where somebody is late")),
    exec: text("command", "run by sh; 0 confirms. INNKEEPER_GENERATION and the like are set"),
    "on-quiesce": text("command", "run by sh when it shall stand still before a bump; 0 says so"),
    "on-resume": text("command", "run by sh when it may go on after that"),
    lease: number("seconds", "it is lost when it is away for longer"),
    "exec-timeout": number(
      "seconds",
      `the command has failed after so long [${EXEC_TIMEOUT_SECONDS_DEFAULT}]`,
    ),
    retry: number("times", "run a failed command again so often, after 1, 2, 4 … seconds [0]"),
    "if-missing": text("what", "make the scope, wait for it, or fail, when it is not there [make]"),
    identity: text("file", "where it remembers who it is [below $XDG_STATE_HOME]"),
  },
  examples: [
    "watch vm-7 --name app --exec ./reseed.sh",
    "watch vm-7 --name app --exec ./reseed.sh --retry 5 --if-missing wait",
    "watch vm-7 --name log --json",
  ],
  handlesSignals: true,
  async run(args, context) {
    const { scope, name, exec, lease } = args;
    const { "on-quiesce": onQuiesce, "on-resume": onResume } = args;
    if ((exec === undefined) !== context.json) {
      throw new UsageError("One of --exec and --json is needed");
    }
    const timeoutMs = 1000 * (args["exec-timeout"] ?? EXEC_TIMEOUT_SECONDS_DEFAULT);
    const retries = retriesOf(args.retry);
    await ensureScope(scope, ifMissingOf(args["if-missing"]), context);
    using identity = exec === undefined
      ? undefined
      : await openIdentity(await identityPath(context.address, scope, name), args.identity);
    const { token: resumeToken, epoch } = await identity?.read() ?? {};
    const hooks = new QuiesceHooks({ onQuiesce, onResume }, timeoutMs, context.err);
    const watcher: Watcher = new Watcher({
      scope,
      name,
      track: exec !== undefined,
      resumeToken,
      epoch,
      process: ownProcess,
      onResumeToken: (token) => identity?.store({ token }),
      onConfirmed: (epoch) => identity?.store({ epoch }),
      ...hooks.callbacks(),
      ...(lease === undefined ? {} : { leaseMs: lease * 1000 }),
      open: (protocol) => context.openSocket(protocol),
      onConnection: (state, detail) => context.err(`${state}: ${detail}`),
      onGeneration: exec === undefined
        ? (generation) => printOrStop(generation, watcher, context)
        : (generation, signal) =>
          untilDone(
            retries,
            signal,
            context,
            () => run(exec, generation, signal, timeoutMs, context),
          ),
    });
    let isStopped = false;
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      Deno.addSignalListener(signal, () => {
        isStopped = true;
        void watcher.stop();
      });
    }
    await watcher.done;
    await hooks.ended();
    if (watcher.isGone && !isStopped) {
      identity?.remove();
      throw new ExitError(
        EXIT.notFound,
        `${name} watches no more: scope ${scope} was deleted, or somebody released ${name}`,
      );
    }
    if (!watcher.isLeftBehind) {
      identity?.remove();
      return { status: EXIT.done };
    }
    throw new ExitError(
      EXIT.late,
      `${name} (${watcher.id}) has not confirmed and is left behind, so the barrier of ${scope} ` +
        `stays shut: start it again, or give it up with: innkeeper release ${scope} ${watcher.id}`,
    );
  },
});

/** Prints a generation. A watcher whose lines nobody reads any more has nothing left to do. */
function printOrStop(generation: Generation, watcher: Watcher, { outJson }: CommandContext): void {
  try {
    outJson(generation);
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
    void watcher.stop();
  }
}

/** Two processes of one name are two watchers: only the first has the identity of that name. */
async function openIdentity(
  usual: string | undefined,
  file: string | undefined,
): Promise<Identity | undefined> {
  const path = file ?? usual;
  const identity = path === undefined ? undefined : await Identity.open(path);
  if (identity !== undefined || file === undefined) return identity;
  throw new UsageError(`Cannot use identity file ${file}: another process watches with it`);
}

const IF_MISSING = ["make", "wait", "fail"] as const;

/** What is done when the scope is not there. */
type IfMissing = typeof IF_MISSING[number];

function ifMissingOf(text = "make"): IfMissing {
  const found = IF_MISSING.find((known) => known === text);
  if (found !== undefined) return found;
  throw new UsageError(`Cannot take --if-missing ${text}: it is ${IF_MISSING.join(", ")}`);
}

function retriesOf(times = 0): number {
  if (times <= HOOK_RETRIES_MAX) return times;
  throw new UsageError(`Cannot take --retry ${times}: ${HOOK_RETRIES_MAX} at most`);
}

/**
 * Makes the scope if it is missing, or waits for it; an existing one must not lose its options. Who may watch it and
 * not read it cannot see whether it is missing, and is told when it watches.
 */
async function ensureScope(
  scope: string,
  ifMissing: IfMissing,
  { client, err }: CommandContext,
): Promise<void> {
  const url = path`/v1/scopes/${scope}`;
  for (let looks = 0;; looks++) {
    try {
      await client.request("GET", url);
      return;
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      if (error.problem.code === "not-permitted") return;
      if (error.problem.code !== "scope-not-found" || ifMissing === "fail") throw error;
    }
    if (ifMissing === "make") {
      await client.request("PUT", url, { json: {} });
      return;
    }
    if (looks === 0) err(`waiting for scope ${scope}`);
    await delay(SCOPE_LOOK_MS);
  }
}

/** Does something that may fail until it succeeds, or has failed too often. */
async function untilDone(
  retries: number,
  signal: AbortSignal,
  { err }: CommandContext,
  act: () => Promise<void>,
): Promise<void> {
  for (let failures = 0;; failures++) {
    try {
      return await act();
    } catch (error) {
      if (signal.aborted || failures >= retries) throw error;
    }
    const pauseMs = Math.min(1_000 * 2 ** failures, HOOK_RETRY_MS_MAX);
    err(`running it again in ${pauseMs / 1_000} s`);
    await delay(pauseMs, { signal });
  }
}

/** Runs the command for a generation. It throws when the generation is not to be confirmed. */
async function run(
  command: string,
  { scope, generation, epoch, unique, reason }: Generation,
  signal: AbortSignal,
  timeoutMs: number,
  { err }: CommandContext,
): Promise<void> {
  err(`generation ${generation} (${reason}): running ${command}`);
  const failure = await runHook(command, {
    INNKEEPER_SCOPE: scope,
    INNKEEPER_GENERATION: String(generation),
    INNKEEPER_EPOCH: epoch,
    INNKEEPER_UNIQUE: unique,
    INNKEEPER_REASON: reason,
  }, { signal, timeoutMs });
  if (signal.aborted) throw new Error("a newer generation came");
  if (failure === undefined) return err(`generation ${generation}: confirmed`);
  err(`generation ${generation}: not confirmed: ${failure}`);
  throw new Error(failure);
}
