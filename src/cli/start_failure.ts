import { StateFolderError } from "../core/state_folder_error.ts";
import { SystemError } from "../core/system_error.ts";
import { EXIT, ExitError } from "./exit.ts";

/** What ends a start: one line and a status that docs/cli.md explains. A bug stays what it is. */
export function startFailure(error: unknown): unknown {
  if (error instanceof ExitError) return error;
  const { message } = error as Error;
  if (error instanceof StateFolderError) {
    return new ExitError(error.isDamage ? EXIT.damaged : EXIT.folder, message);
  }
  // A fault has a status of its own.
  const isOfHost = error instanceof SystemError ||
    Object.values(Deno.errors).some((kind) => error instanceof kind);
  if (!isOfHost) return error;
  const text = /^Cannot /.test(message) ? message : `Cannot start: ${message}`;
  return new ExitError(EXIT.folder, text, { cause: error });
}
