import { resolve } from "node:path/posix";
import { execute } from "../native/exec.ts";
import { Libc } from "../native/libc.ts";
import { enterCallersFolder } from "./callers_folder.ts";
import { environment } from "./environment.ts";
import { EXIT } from "./exit.ts";
import { grantsOf } from "./grants.ts";
import { readServe } from "./parse_config.ts";

/**
 * Becomes the daemon, under grants that fit its flags. Deno cannot narrow the permissions of a
 * running process, so this one, which may read everything, is replaced by one that may not. The
 * daemon is given what was understood here, so that it needs no parser.
 *
 * @returns The exit status, where there is no daemon to become
 */
async function launch(args: readonly string[]): Promise<number> {
  try {
    const read = readServe(args, environment);
    if ("show" in read) {
      (await import("./terminal.ts")).writeOut(read.show);
      return EXIT.done;
    }
    const { config, json } = read;
    const app = resolve(import.meta.dirname ?? ".", "../..");
    const libc = Libc.open();
    return execute(libc, "/proc/self/exe", [
      "deno",
      "run",
      "--no-prompt",
      "--frozen",
      `--config=${app}/deno.json`,
      ...grantsOf(config, app, libc.path),
      `${app}/src/cli/daemon.ts`,
      JSON.stringify(config),
      ...json ? ["--json"] : [],
    ]);
  } catch (error) {
    const { report } = await import("./report.ts");
    return report(error, { json: args.includes("--json"), address: undefined });
  }
}

if (import.meta.main) {
  enterCallersFolder();
  launch(Deno.args).then((status) => Deno.exit(status));
}
