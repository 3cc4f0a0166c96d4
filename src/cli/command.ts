import { type Args, type Flags, readArgs, type Syntax } from "./args.ts";
import type { Connection } from "./connect.ts";
import { EXIT, UsageError } from "./exit.ts";

/** What a command that talks to a daemon works with. */
export interface CommandContext extends Connection {
  /** Writes a line for the user or the next program in a pipe. */
  out(line: string): void;
  /** Writes a line for the user alone. */
  err(line: string): void;
}

/**
 * Runs a command that talks to a daemon.
 *
 * @param args What stands after its name, without the flags that say how to connect
 * @returns The exit status
 * @throws UsageError for arguments that it does not know; ProblemError when the daemon refuses
 */
type Run = (args: readonly string[], context: CommandContext) => Promise<number>;

/** A command that talks to a daemon. */
export type Command = Run & { readonly usage: string };

/**
 * Declares a command.
 *
 * @param run Returns the exit status, or an answer of the daemon, which is printed as JSON, or
 * nothing
 */
export function command<
  const Name extends string = never,
  const F extends Flags = Record<never, never>,
>(
  usage: string,
  { names = [], flags = {} as F }: Partial<Syntax<Name, F>>,
  run: (args: Args<Name, F>, context: CommandContext) => Promise<unknown>,
): Command {
  const start: Run = async (args, context) => {
    const result = await run(readArgs(args, { names, flags }, usage), context);
    if (typeof result === "number") return result;
    if (result !== undefined) context.out(JSON.stringify(result));
    return EXIT.clean;
  };
  return Object.assign(start, { usage });
}

/** A command of several actions, such as `innkeeper inodes list`. */
export function commandGroup(name: string, actions: Readonly<Record<string, Command>>): Command {
  const usage = Object.values(actions).map((action) => action.usage).join("\n       ");
  const start: Run = async ([action = "", ...args], context) => {
    const chosen = Object.hasOwn(actions, action) ? actions[action] : undefined;
    if (chosen !== undefined) return await chosen(args, context);
    throw new UsageError(`Cannot run "${name} ${action}"\nusage: ${usage}`);
  };
  return Object.assign(start, { usage });
}
