import { delay } from "@std/async";
import { ProblemError } from "../client/problem_error.ts";
import { type Generation, Watcher } from "../client/watcher.ts";
import { command, type CommandContext } from "./command.ts";
import { EXIT, ExitError, UsageError } from "./exit.ts";
import { Identity, identityPath } from "./identity.ts";
import { path } from "./listing.ts";
import { number, required, text } from "./options.ts";
import { write } from "./output.ts";

const EXEC_TIMEOUT_SECONDS_DEFAULT = 60;
/** How much of the end of a command's error output a failure report quotes. */
const QUOTED_CHARS = 160;
/** How long the error output of a command that has ended is waited for, in milliseconds. */
const OUTPUT_END_MS = 500;

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
  arguments: { scope: { help: "the scope; it is made when it is missing" } },
  options: {
    name: required(text("name", "what the watcher is called where somebody is late")),
    exec: text("command", "run by sh; 0 confirms. INNKEEPER_GENERATION and the like are set"),
    lease: number("seconds", "it is lost when it is away for longer"),
    "exec-timeout": number(
      "seconds",
      `the command has failed after so long [${EXEC_TIMEOUT_SECONDS_DEFAULT}]`,
    ),
    identity: text("file", "where it remembers who it is [below $XDG_STATE_HOME]"),
  },
  examples: [
    "watch vm-7 --name app --exec ./reseed.sh",
    "watch vm-7 --name log --json",
  ],
  handlesSignals: true,
  async run(args, context) {
    const { scope, name, exec, lease } = args;
    if ((exec === undefined) !== context.json) {
      throw new UsageError("One of --exec and --json is needed");
    }
    const timeoutMs = 1000 * (args["exec-timeout"] ?? EXEC_TIMEOUT_SECONDS_DEFAULT);
    await ensureScope(scope, context);
    using identity = exec === undefined
      ? undefined
      : await openIdentity(await identityPath(context.address, scope, name), args.identity);
    const watcher: Watcher = new Watcher({
      scope,
      name,
      track: exec !== undefined,
      token: await identity?.token(),
      onToken: (token) => identity?.store(token),
      ...(lease === undefined ? {} : { leaseMs: lease * 1000 }),
      open: context.openSocket,
      onConnection: (state, detail) => context.err(`${state}: ${detail}`),
      onGeneration: exec === undefined
        ? (generation) => printOrStop(generation, watcher, context)
        : (generation, signal) => run(exec, generation, signal, timeoutMs, context),
    });
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      Deno.addSignalListener(signal, () => void watcher.stop());
    }
    await watcher.done;
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

/**
 * Makes the scope if it is missing; an existing one must not lose its options. Who may watch it and
 * not read it cannot see whether it is missing, and is told when it watches.
 */
async function ensureScope(scope: string, { client }: CommandContext): Promise<void> {
  const url = path`/v1/scopes/${scope}`;
  try {
    await client.request("GET", url);
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    if (error.problem.code === "not-permitted") return;
    if (error.problem.code !== "scope-not-found") throw error;
    await client.request("PUT", url, { json: {} });
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
  const timeout = AbortSignal.timeout(timeoutMs);
  const child = new Deno.Command("/bin/sh", {
    args: ["-c", command],
    env: {
      INNKEEPER_SCOPE: scope,
      INNKEEPER_GENERATION: String(generation),
      INNKEEPER_EPOCH: epoch,
      INNKEEPER_UNIQUE: unique,
      INNKEEPER_REASON: reason,
    },
    stdin: "null",
    stdout: "inherit",
    stderr: "piped",
    // A process group of its own, so that everything the command has started ends with it.
    detached: true,
  }).spawn();
  const kill = (): void => killGroup(child.pid);
  const ends = AbortSignal.any([signal, timeout]);
  ends.addEventListener("abort", kill, { once: true });
  const output = forward(child.stderr);
  const { code, signal: killedBy } = await child.status;
  ends.removeEventListener("abort", kill);
  if (signal.aborted) throw new Error("a newer generation came");
  if (code === 0 && !timeout.aborted) return err(`generation ${generation}: confirmed`);
  let failure = `"${command}" ran longer than ${timeoutMs} ms`;
  if (!timeout.aborted) {
    const how = killedBy === null ? `ended with ${code}` : `was ended by ${killedBy}`;
    // A process that the command has left in the background may hold the stream open for long.
    const end = await Promise.race([output, delay(OUTPUT_END_MS).then(() => "")]);
    failure = `"${command}" ${how}${end === "" ? "" : `: ${end}`}`;
  }
  err(`generation ${generation}: not confirmed: ${failure}`);
  throw new Error(failure);
}

function killGroup(pid: number): void {
  try {
    Deno.kill(-pid, "SIGKILL");
  } catch {
    // It has just ended by itself.
  }
}

/** Passes error output on, and returns its end, which says best what went wrong. */
async function forward(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let end = "";
  for await (const bytes of stream) {
    write(Deno.stderr, bytes);
    end = (end + decoder.decode(bytes, { stream: true })).slice(-QUOTED_CHARS);
  }
  return end.trim();
}
