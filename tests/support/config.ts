import type { Config } from "../../src/cli/config.ts";
import type { Environment } from "../../src/cli/environment.ts";
import { readServe } from "../../src/cli/parse_config.ts";

/** What a command line of `serve` means. */
export function parseConfig(args: readonly string[], environment: Environment): Config {
  const read = readServe(args, environment);
  if ("show" in read) throw new Error(`only a text is shown: ${read.show}`);
  return read.config;
}
