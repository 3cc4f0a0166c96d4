import { jsonLine } from "./escape.ts";
import { EXIT } from "./exit.ts";
import { explain, type Failure, failureJson } from "./failure.ts";
import { printNote, writeOut } from "./terminal.ts";

/**
 * Tells the user why a command ended without being done.
 *
 * @param address Where the daemon was looked for
 * @returns The exit status
 */
export function report(
  error: unknown,
  { json, address }: { readonly json: boolean; readonly address: string | undefined },
): number {
  // Whoever read our output has seen enough.
  if (error instanceof Deno.errors.BrokenPipe) return EXIT.done;
  const failure = explain(error, address) ?? mistake(error);
  failure.lines.forEach(printNote);
  if (json) tryPrint(failureJson(failure));
  return failure.status;
}

function mistake(error: unknown): Failure {
  const text = error instanceof Error ? error.stack ?? error.message : String(error);
  return {
    status: EXIT.mistake,
    lines: ["Innkeeper made a mistake; please report this:", ...text.split("\n")],
  };
}

function tryPrint(value: unknown): void {
  try {
    writeOut(`${jsonLine(value)}\n`);
  } catch {
    // Standard error has said it.
  }
}
