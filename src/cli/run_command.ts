import type { Answer, CommandContext, CommandSpec } from "./command.ts";
import { escapeText } from "./escape.ts";
import { EXIT, UsageError } from "./exit.ts";
import { failureJson } from "./failure.ts";
import type { Invocation } from "./program.ts";

/**
 * Runs a command that was chosen, and prints what it answers.
 *
 * @returns The exit status
 * @throws {UsageError} with the usage of the command; whatever else the command throws
 */
export async function runCommand(
  { spec, path, usage, values }: Invocation,
  context: CommandContext,
): Promise<number> {
  try {
    const answer = await spec.run(values, context) ?? {};
    const { status = EXIT.done } = answer;
    try {
      print(answer, context, { path, spec, values });
    } catch (error) {
      // The command is done all the same, and its status is what counts.
      if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
    }
    return status;
  } catch (error) {
    if (!(error instanceof UsageError) || error.message.includes("\nusage: ")) throw error;
    throw new UsageError(
      `${escapeText(error.message)}\nusage: ${usage}\nSee innkeeper ${path} --help.`,
      { cause: error },
    );
  }
}

function print(
  { result, rows, table, text, note, status }: Answer,
  { json, out, outJson, err }: CommandContext,
  { path, spec, values }: {
    readonly path: string;
    readonly spec: CommandSpec;
    readonly values: Readonly<Record<string, unknown>>;
  },
): void {
  const isFailure = status !== undefined && status !== EXIT.done;
  if (note !== undefined && (!json || isFailure)) err(note);
  if (rows !== undefined && (json || table === undefined)) rows.forEach(outJson);
  else if (table !== undefined) table.forEach(out);
  else if (!json && text !== undefined) out(text);
  else if (result !== undefined) outJson(result);
  else if (json && status === undefined) {
    const args = Object.keys(spec.arguments).map((name) => [name, values[name]]);
    outJson({ done: path, ...Object.fromEntries(args) });
  }
  if (json && isFailure) outJson(failureJson({ status, lines: [note ?? ""] }));
}
