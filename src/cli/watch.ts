import { delay } from "@std/async";
import { ProblemError } from "../client/problem_error.ts";
import { type Generation, Watcher } from "../client/watcher.ts";
import { UsageError } from "./exit.ts";
import type { CommandContext } from "./command.ts";
import { readArgs, wholeNumber } from "./args.ts";

const USAGE = "innkeeper watch SCOPE --name NAME (--exec COMMAND | --json) [--lease SECONDS] " +
  "[--exec-timeout SECONDS]";
const EXEC_TIMEOUT_SECONDS_DEFAULT = 60;
/** The end of a command's error output that a failure report quotes. */
const QUOTED_CHARS = 160;

/** How long a command that has ended may take to say its last words, in milliseconds. */
const SAID_MS = 500;

/**
 * `innkeeper watch`: runs a command at each generation and confirms only when it ends with 0;
 * otherwise reports the failure to the barrier. With `--json` it prints each generation and
 * neither is waited for nor confirms. Runs until SIGINT or SIGTERM; then the watcher is released.
 *
 * @returns The exit status
 */
export async function watch(args: readonly string[], context: CommandContext): Promise<number> {
  const words = readArgs(
    args,
    {
      name: { type: "string" },
      exec: { type: "string" },
      json: { type: "boolean" },
      lease: { type: "string" },
      "exec-timeout": { type: "string" },
    },
    1,
    USAGE,
  );
  const { flags, names: [scope = ""] } = words;
  const { name, exec, json } = flags;
  if (typeof name !== "string") throw new UsageError(`--name is missing\nusage: ${USAGE}`);
  if ((exec === undefined) === (json === undefined)) {
    throw new UsageError(`one of --exec and --json is needed\nusage: ${USAGE}`);
  }
  const timeoutMs = 1000 * (wholeNumber(words, "exec-timeout") ?? EXEC_TIMEOUT_SECONDS_DEFAULT);
  const lease = wholeNumber(words, "lease");
  await ensureScope(scope, context);
  const watcher = new Watcher({
    scope,
    name,
    track: exec !== undefined,
    ...(lease === undefined ? {} : { leaseMs: lease * 1000 }),
    open: context.openSocket,
    onConnection: (state, detail) => context.err(`${state}: ${detail}`),
    onGeneration: typeof exec === "string"
      ? (generation, signal) => run(exec, generation, signal, timeoutMs, context)
      : (generation) => context.out(JSON.stringify(generation)),
  });
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => void watcher.stop());
  }
  await watcher.done;
  return 0;
}

/** Makes the scope unless it is there; one that is keeps its options. */
async function ensureScope(scope: string, { client }: CommandContext): Promise<void> {
  const path = `/v1/scopes/${encodeURIComponent(scope)}`;
  try {
    await client.ask("GET", path);
  } catch (error) {
    if (!(error instanceof ProblemError) || error.problem.code !== "scope-not-found") throw error;
    await client.ask("PUT", path, { json: {} });
  }
}

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
    // A group of its own, so that what the command has started ends with it.
    detached: true,
  }).spawn();
  const kill = (): void => killGroup(child.pid);
  const ends = AbortSignal.any([signal, timeout]);
  ends.addEventListener("abort", kill, { once: true });
  const said = forward(child.stderr);
  const { code, signal: killedBy } = await child.status;
  ends.removeEventListener("abort", kill);
  if (signal.aborted) throw new Error("a newer generation came");
  if (timeout.aborted) {
    throw failure(err, generation, `"${command}" ran longer than ${timeoutMs} ms`);
  }
  if (code === 0) return err(`generation ${generation}: confirmed`);
  const how = killedBy === null ? `ended with ${code}` : `was ended by ${killedBy}`;
  // What it has started in the background may hold the stream open for long.
  const last = await Promise.race([said, delay(SAID_MS).then(() => "")]);
  const why = last === "" ? "" : `: ${last}`;
  throw failure(err, generation, `"${command}" ${how}${why}`);
}

function failure(err: (line: string) => void, generation: number, reason: string): Error {
  err(`generation ${generation}: not confirmed: ${reason}`);
  return new Error(reason);
}

function killGroup(pid: number): void {
  try {
    Deno.kill(-pid, "SIGKILL");
  } catch {
    // It has ended in this very moment.
  }
}

/** Passes error output on and keeps its end, which tells best what went wrong. */
async function forward(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let end = "";
  for await (const bytes of stream) {
    Deno.stderr.writeSync(bytes);
    end = (end + decoder.decode(bytes, { stream: true })).slice(-QUOTED_CHARS);
  }
  return end.trim();
}
