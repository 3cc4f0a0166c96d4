import { UsageError } from "../daemon/config.ts";
import { EXIT, ExitError } from "./exit.ts";
import { serve } from "./serve.ts";

const HELP = `innkeeper: keeps the guests of one machine

  innkeeper serve [flags]   run the daemon; innkeeper serve --help names the flags
`;

/**
 * The command line.
 *
 * @param args The words after the program's name
 * @returns The exit status
 */
export async function main(args: readonly string[]): Promise<number> {
  const [command, ...rest] = args;
  try {
    if (command === "serve") return await serve(rest);
    if (command === undefined || command === "--help" || command === "help") {
      say(Deno.stdout, HELP);
      return command === undefined ? EXIT.usage : EXIT.clean;
    }
    throw new UsageError(`Cannot run "${command}": known commands are serve and help`);
  } catch (error) {
    if (error instanceof ExitError) {
      say(Deno.stderr, `${error.message}\n`);
      return error.status;
    }
    if (error instanceof UsageError) {
      say(Deno.stderr, `${error.message}\nSee --help.\n`);
      return EXIT.usage;
    }
    throw error;
  }
}

function say(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  stream.writeSync(new TextEncoder().encode(text));
}

if (import.meta.main) main(Deno.args).then((status) => Deno.exit(status));
