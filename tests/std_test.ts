import { assert } from "@std/assert";
import * as stdAssert from "@std/assert";
import * as stdAsync from "@std/async";
import * as stdBytes from "@std/bytes";

const DECLARED = /^export (?:function|class) (\w+)/gm;

for (
  const [name, module] of Object.entries({ assert: stdAssert, async: stdAsync, bytes: stdBytes })
) {
  Deno.test(`@std/${name} has at run time every name that its types declare`, async () => {
    const types = await Deno.readTextFile(new URL(`../src/std/${name}.d.ts`, import.meta.url));
    const declared = [...types.matchAll(DECLARED)].map((match) => match[1] as string);
    assert(declared.length > 0, "no declaration was found: the pattern no longer fits the file");
    for (const symbol of declared) assert(symbol in module, `${symbol} is declared but missing`);
  });
}
