/**
 * Holds documents of the API against the rules of their linters: Redocly's recommended ones, all of
 * Spectral's for OpenAPI, and those of AsyncAPI's parser. Run as a program: the arguments are the
 * paths of an OpenAPI and of an AsyncAPI document, and what is found comes as JSON.
 *
 * @module
 */
import { TOOLS } from "./npm_tools.ts";

// The names are not written where they are imported, so that checking does not fetch the tools.
// deno-lint-ignore no-explicit-any
const load = async (tool: keyof typeof TOOLS): Promise<any> => {
  const loaded = await import(TOOLS[tool]);
  return { ...loaded.default, ...loaded };
};

// deno-lint-ignore no-explicit-any -- findings are only shown
type Finding = any;

async function redocly(text: string): Promise<string[]> {
  const { createConfig, lintFromString } = await load("redocly");
  const config = await createConfig({ extends: ["recommended"] });
  const found = await lintFromString({ source: text, absoluteRef: "/openapi.json", config });
  return found.map(({ severity, ruleId, location, message }: Finding) =>
    `redocly ${severity} ${ruleId} at ${location[0]?.pointer}: ${message}`
  );
}

async function spectral(text: string): Promise<string[]> {
  const [{ Spectral }, { oas }] = await Promise.all([load("spectral"), load("spectralRules")]);
  const linter = new Spectral();
  linter.setRuleset({ extends: [oas] });
  const found = await linter.run(JSON.parse(text));
  return found.map(({ severity, code, path, message }: Finding) =>
    `spectral ${severity} ${code} at ${path.join("/")}: ${message}`
  );
}

async function asyncapi(text: string): Promise<string[]> {
  const { Parser } = await load("asyncapi");
  const found = await new Parser().validate(text);
  return found.map(({ severity, code, path, message }: Finding) =>
    `asyncapi ${severity} ${code} at ${path.join("/")}: ${message}`
  );
}

if (import.meta.main) {
  const [openapiPath = "", asyncapiPath = ""] = Deno.args;
  const openapiText = Deno.readTextFileSync(openapiPath);
  const found = [
    ...await redocly(openapiText),
    ...await spectral(openapiText),
    ...await asyncapi(Deno.readTextFileSync(asyncapiPath)),
  ];
  await Deno.stdout.write(new TextEncoder().encode(JSON.stringify(found)));
}
