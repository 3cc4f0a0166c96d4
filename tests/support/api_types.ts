/** Prints the TypeScript types of an OpenAPI document, whose path is the argument. */
import { TOOLS } from "./npm_tools.ts";

if (import.meta.main) {
  // The name is not written here, so that checking does not fetch the tool.
  const { default: openapiTypes, astToString } = await import(TOOLS.openapiTypescript);
  const document = Deno.readTextFileSync(Deno.args[0] as string);
  const types = astToString(await openapiTypes(document));
  await Deno.stdout.write(new TextEncoder().encode(types));
}
