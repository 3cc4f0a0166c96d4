import { type Config, configOf } from "./config.ts";
import type { Environment } from "./environment.ts";
import { parse } from "./program.ts";
import { serve } from "./serve_command.ts";
import { withEnvironment } from "./serve_flags.ts";

/**
 * Reads the command line of `serve`.
 *
 * @param args What stands behind `serve`
 * @returns A text to show instead, when that was asked for
 * @throws {UsageError} naming the flag and its value
 */
export function readServe(
  args: readonly string[],
  environment: Environment,
): { readonly config: Config; readonly json: boolean } | { readonly show: string } {
  const parsed = parse([serve], [serve.name, ...args]);
  if ("show" in parsed) return parsed;
  const { values, json } = parsed.run;
  return { config: configOf(withEnvironment(values, environment.env), environment), json };
}
