import { command } from "./command.ts";
import { configOf } from "./config.ts";
import { environment } from "./environment.ts";
import { launchDaemon, needsLauncher } from "./launcher.ts";
import { SERVE_OPTIONS, withEnvironment } from "./serve_flags.ts";

/** `innkeeper serve`: runs the daemon. */
export const serve = command({
  name: "serve",
  summary: "run the daemon until SIGTERM or SIGINT",
  details: "Prints one line of JSON when it is ready; logs go to standard error. Each option can " +
    "also be given by an environment variable, shown last; several values are parted by blanks " +
    "there.",
  options: SERVE_OPTIONS,
  examples: ["serve", "serve --run /run/innkeeper --root images=/srv/images:ro"],
  isLocal: true,
  handlesSignals: true,
  async run(flags) {
    const config = configOf(withEnvironment(flags, environment.env), environment);
    if (needsLauncher()) {
      return { status: await launchDaemon(Deno.args.slice(Deno.args.indexOf("serve") + 1)) };
    }
    const { serve }: typeof import("./serve.ts") = await import(DAEMON);
    return { status: await serve(config) };
  },
});

/**
 * Not written where it is imported: Deno reads every module that an import names before anything
 * runs, and all of the daemon's cost each command 14 ms.
 */
const DAEMON = "./serve.ts";
