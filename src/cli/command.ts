import type { Connection } from "./connect.ts";
import type { Arguments, ArgumentValues, Options, OptionValues } from "./options.ts";

/** What a command works with. */
export interface CommandContext extends Connection {
  /** Whether every line of standard output is to be JSON. */
  readonly json: boolean;
  /** Aborted when the user ends the command before it is done. */
  readonly signal: AbortSignal;
  /** Writes a line for the user or the next program in a pipe. */
  out(line: string): void;
  /** Writes a value as a line of JSON. */
  outJson(value: unknown): void;
  /** Writes bytes as they are; a terminal is shown them escaped. */
  outBytes(bytes: Uint8Array): void;
  /** Writes a line for the user alone. */
  err(line: string): void;
}

/** What a command has to say when it is done. Everything in it may come from outside. */
export interface Answer {
  /** Printed as a line of JSON; with `text` only where JSON is wanted. */
  readonly result?: unknown;
  /** Printed as a line of JSON each, or as a table where there is one. */
  readonly rows?: readonly unknown[];
  /** The lines of the table. */
  readonly table?: readonly string[];
  readonly text?: string;
  /** For the user alone, on standard error. */
  readonly note?: string;
  /** The exit status; 0 when it is left out. Else `note` says what failed. */
  readonly status?: number;
}

/** A command: what it takes, what its help says and what it does. */
export interface CommandSpec {
  readonly name: string;
  /** One line, without a full stop. */
  readonly summary: string;
  /** What else its help says. */
  readonly details?: string;
  readonly arguments: Arguments;
  readonly options: Options;
  /** What stands behind the program's name. */
  readonly examples: readonly string[];
  /** It needs no daemon. */
  readonly isLocal?: boolean;
  /** It ends by itself, in good order, when a signal comes. */
  readonly handlesSignals?: boolean;
  run(values: Readonly<Record<string, unknown>>, context: CommandContext): Promise<Answer | void>;
}

/** Several commands under one name, such as `innkeeper inodes list`. */
export interface GroupSpec {
  readonly name: string;
  readonly summary: string;
  readonly actions: readonly CommandSpec[];
  /** What is run when no action is named. */
  readonly defaultAction?: string;
}

export type Spec = CommandSpec | GroupSpec;

/** A command as its module declares it; the values that it is run with have the types of these. */
type Declaration<A extends Arguments, O extends Options> =
  & Omit<CommandSpec, "arguments" | "options" | "run">
  & {
    readonly arguments?: A;
    readonly options?: O;
    run(
      values: ArgumentValues<A> & OptionValues<O>,
      context: CommandContext,
    ): Promise<Answer | void>;
  };

/** Declares a command. */
export function command<
  const A extends Arguments = Record<never, never>,
  const O extends Options = Record<never, never>,
>(declaration: Declaration<A, O>): CommandSpec {
  return { arguments: {}, options: {}, ...declaration } as CommandSpec;
}

/** Whether this is a group of commands. */
export function isGroup(spec: Spec): spec is GroupSpec {
  return "actions" in spec;
}
