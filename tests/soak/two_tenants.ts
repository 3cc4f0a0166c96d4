/**
 * Two tenants with disjoint prefixes play the whole product side by side: neither changes, delays or
 * learns a name of the other (docs/access.md#8).
 *
 * Run with `deno run -A tests/soak/two_tenants.ts [REQUESTS [SEED]]`. Ends with status 0, or throws.
 *
 * @module
 */
import { testSeed } from "../support/random.ts";
import { playTwoTenants } from "../support/two_tenants.ts";

const requests = Number(Deno.args[0] ?? 20_000);
const seed = Number(Deno.args[1] ?? testSeed());
const found = await playTwoTenants({ requests, seed });
if (found.length > 0) throw new Error(`seed ${seed}:\n${found.join("\n")}`);
const line =
  `2 tenants, ${requests} requests each, seed ${seed}: nothing of one reached the other\n`;
Deno.stdout.writeSync(new TextEncoder().encode(line));
