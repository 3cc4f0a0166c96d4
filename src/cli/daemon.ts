import type { Config } from "./config.ts";
import { serve } from "./serve.ts";

/** Runs the daemon as the launcher has understood its command line: the first argument is that. */
async function run([config = "{}", ...flags]: readonly string[]): Promise<number> {
  try {
    return await serve(JSON.parse(config) as Config);
  } catch (error) {
    const { report } = await import("./report.ts");
    return report(error, { json: flags.includes("--json"), address: undefined });
  }
}

if (import.meta.main) run(Deno.args).then((status) => Deno.exit(status));
