import type { CommandContext } from "./command.ts";
import { connect } from "./connect.ts";
import type { ConnectFlags } from "./connect_options.ts";
import { escapeLines, escapeText, jsonLine } from "./escape.ts";
import { EXIT, ExitError } from "./exit.ts";
import { write } from "./output.ts";
import type { Layout } from "./program.ts";

/** Writes a line for the next program in the pipe, or for the user. */
export function printLine(line: string): void {
  writeOut(`${escapeText(line)}\n`);
}

/**
 * Writes to standard output.
 *
 * @throws {Deno.errors.BrokenPipe} when nobody reads it any more
 * @throws {ExitError} when it cannot be written for another reason
 */
export function writeOut(data: string | Uint8Array): void {
  try {
    write(Deno.stdout, data);
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe) throw error;
    const why = (error as Error).message;
    throw new ExitError(EXIT.failed, `Cannot write to standard output: ${why}`, { cause: error });
  }
}

/** Writes a line for the user alone. That nobody reads it changes nothing. */
export function printNote(line: string): void {
  try {
    write(Deno.stderr, `${escapeText(line)}\n`);
  } catch {
    // There is nobody left to tell.
  }
}

/** How texts are laid out on this terminal. `NO_COLOR` is https://no-color.org. */
export function layoutOf(): Layout {
  if (!Deno.stdout.isTerminal()) return {};
  const { columns } = Deno.consoleSize();
  return { columns, isBold: (Deno.env.get("NO_COLOR") ?? "") === "" };
}

interface ContextOptions {
  readonly json: boolean;
  readonly signal: AbortSignal;
}

/** A command's context on this terminal, with the way to its daemon. */
export async function contextOf(
  flags: ConnectFlags,
  options: ContextOptions,
): Promise<CommandContext> {
  return { ...await connect(flags), ...options, ...printers };
}

/** The context of a command that needs no daemon. */
export function localContext(options: ContextOptions): CommandContext {
  const none = (): never => {
    throw new Error("this command has no daemon");
  };
  return {
    address: "",
    get client() {
      return none();
    },
    openSocket: none,
    ...options,
    ...printers,
  };
}

const printers = {
  out: printLine,
  outJson: (value: unknown) => writeOut(`${jsonLine(value)}\n`),
  outBytes: (bytes: Uint8Array) =>
    writeOut(Deno.stdout.isTerminal() ? escapeLines(new TextDecoder().decode(bytes)) : bytes),
  err: printNote,
};
