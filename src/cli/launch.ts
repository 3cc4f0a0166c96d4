import { resolve } from "node:path/posix";
import { type Config, parseConfig } from "./config.ts";
import { execute } from "../native/exec.ts";
import { Libc } from "../native/libc.ts";
import { EXIT, UsageError } from "./exit.ts";
import { grantsOf } from "./grants.ts";
import { environment } from "./environment.ts";
import { write } from "./output.ts";
import { serveHelp } from "./serve_flags.ts";

/**
 * Becomes the daemon, under grants that fit its flags. Deno cannot narrow the permissions of a
 * running process, so this one, which may read everything, is replaced by one that may not.
 */
function launch(args: readonly string[]): void {
  if (args.includes("--help")) return write(Deno.stdout, serveHelp());
  let config: Config;
  try {
    config = parseConfig(args, environment);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    write(Deno.stderr, `${error.message}\nSee --help.\n`);
    Deno.exit(EXIT.usage);
  }
  const app = resolve(import.meta.dirname ?? ".", "../..");
  const libc = Libc.open();
  execute(libc, "/proc/self/exe", [
    "deno",
    "run",
    "--no-prompt",
    "--frozen",
    `--config=${app}/deno.json`,
    ...grantsOf(config, app, libc.path),
    `${app}/src/cli/main.ts`,
    "serve",
    ...args,
    // Their defaults depend on the user, which the daemon has no permission to look up.
    ...["--state", config.state, "--run", config.run],
  ]);
}

if (import.meta.main) launch(Deno.args);
