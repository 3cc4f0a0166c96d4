/** Tools of npm that tests run as programs of their own. They are no part of the lock file. */

/** The tools with their versions. */
export const TOOLS = {
  redocly: "npm:@redocly/openapi-core@2.64.0",
  spectral: "npm:@stoplight/spectral-core@1.24.1",
  spectralRules: "npm:@stoplight/spectral-rulesets@1.23.1",
  asyncapi: "npm:@asyncapi/parser@3.6.3",
  openapiTypescript: "npm:openapi-typescript@7.13.0",
  openapiFetch: "npm:openapi-fetch@0.17.0",
} as const;

const FETCH_MS = 60_000;

/** Why tools cannot be had, `undefined` when they can: they are fetched once and kept by Deno. */
export async function missingTools(...tools: readonly (keyof typeof TOOLS)[]) {
  const args = ["cache", "-q", "--no-lock", "--no-config", ...tools.map((tool) => TOOLS[tool])];
  const fetching = new Deno.Command(Deno.execPath(), {
    args,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).spawn();
  const late = setTimeout(() => fetching.kill(), FETCH_MS);
  const { success, stderr } = await fetching.output();
  clearTimeout(late);
  if (success) return undefined;
  const [line = ""] = new TextDecoder().decode(stderr).split("\n").filter((one) => one !== "");
  return `the npm registry cannot be reached: ${line.slice(0, 120)}`;
}

/**
 * Runs a script beside the project: without its lock file, so that a tool of npm does not become a
 * dependency.
 *
 * @returns What it wrote to standard output
 */
export async function runTool(script: string, args: readonly string[], cwd?: string) {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "-q", "--no-check", "--no-lock", "--no-config", script, ...args],
    env: { NO_COLOR: "1", NODE_NO_WARNINGS: "1" },
    ...cwd === undefined ? {} : { cwd },
  }).output();
  const text = new TextDecoder().decode(stdout);
  if (!success) throw new Error(`${script} failed: ${text}${new TextDecoder().decode(stderr)}`);
  return text;
}
