import { ProblemError } from "../client/problem_error.ts";
import { UnreachableError } from "../client/unreachable_error.ts";
import { Fault } from "../core/faults.ts";
import type { Command } from "./command.ts";
import { EXIT, ExitError, UsageError } from "./exit.ts";
import { write } from "./output.ts";

const HELP = `innkeeper: keeps the guests of one machine

  innkeeper serve [flags]        run the daemon; --help names its flags
  innkeeper watch SCOPE …        run a command at each generation and confirm when it succeeds
  innkeeper bump SCOPE …         change the generation: notify every watcher
  innkeeper wait SCOPE …         wait until all have confirmed, or say who has not
  innkeeper scopes               list the scopes
  innkeeper watchers SCOPE       list who watches a scope, first those who have not confirmed
  innkeeper release SCOPE WATCHER  release a watcher that is gone for good
  innkeeper devices …            devices and who holds them: list, resolve, attach, detach, render, image
  innkeeper inodes …             inodes: list, stat, read, write, sync, evict
  innkeeper guests …             guests: create, boot, console, run, state, interrupt, registers, memory, snapshot, clone

Commands but serve take these flags to reach the daemon:

`;

/** Commands that talk to a daemon. Each is loaded only when it is called. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  bump: async () => (await import("./bump.ts")).bump,
  devices: async () => (await import("./devices.ts")).devices,
  guests: async () => (await import("./guests.ts")).guests,
  inodes: async () => (await import("./inodes.ts")).inodes,
  release: async () => (await import("./watchers.ts")).release,
  scopes: async () => (await import("./scopes.ts")).scopes,
  wait: async () => (await import("./wait.ts")).wait,
  watch: async () => (await import("./watch.ts")).watch,
  watchers: async () => (await import("./watchers.ts")).watchers,
};

/**
 * The command line.
 *
 * @param args What stands after the program's name
 * @returns The exit status
 */
export async function main(args: readonly string[]): Promise<number> {
  try {
    return await run(args);
  } catch (error) {
    const status = statusOf(error);
    if (status === undefined) throw error;
    const hint = error instanceof UsageError ? "\nSee --help." : "";
    write(Deno.stderr, `${(error as Error).message}${hint}\n`);
    return status;
  }
}

/** The exit status of an error that its message explains; `undefined` for a bug. */
function statusOf(error: unknown): number | undefined {
  if (error instanceof ExitError) return error.status;
  const refusals = [ProblemError, UnreachableError, Fault];
  return refusals.some((kind) => error instanceof kind) ? EXIT.refused : undefined;
}

async function run([command, ...args]: readonly string[]): Promise<number> {
  if (command === "serve") return await (await import("./serve.ts")).serve(args);
  const { connect, CONNECT_HELP } = await import("./connect.ts");
  if (command === undefined || command === "--help" || command === "help") {
    write(Deno.stdout, HELP + CONNECT_HELP);
    return command === undefined ? EXIT.usage : EXIT.clean;
  }
  const load = Object.hasOwn(COMMANDS, command) ? COMMANDS[command] : undefined;
  if (load === undefined) {
    throw new UsageError(`Cannot run "${command}": there is no such command`);
  }
  const { rest, ...connection } = connect(args);
  return await (await load())(rest, {
    ...connection,
    out: (line) => write(Deno.stdout, `${line}\n`),
    err: (line) => write(Deno.stderr, `${line}\n`),
  });
}

if (import.meta.main) main(Deno.args).then((status) => Deno.exit(status));
