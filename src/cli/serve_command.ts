import { command } from "./command.ts";
import { configOf } from "./config.ts";
import { environment } from "./environment.ts";
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
    // Only now, since a command line that is wrong needs no daemon.
    const { serve } = await import("./serve.ts");
    return { status: await serve(config) };
  },
});
