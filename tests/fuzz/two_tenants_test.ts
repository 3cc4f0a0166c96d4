import { assert, assertEquals } from "@std/assert";
import { testSeed } from "../support/random.ts";
import { playTwoTenants } from "../support/two_tenants.ts";

const REQUESTS = 600;

Deno.test(`two tenants of ${REQUESTS} requests each change, delay and learn nothing of each other`, async () => {
  const seed = testSeed();
  assertEquals(await playTwoTenants({ requests: REQUESTS, seed }), [], `seed ${seed}`);
});

Deno.test("two tenants: a hole in the grants of one is found (canary)", async () => {
  const seed = testSeed();
  for (const hole of ["read", "write,bump,watch"]) {
    const found = await playTwoTenants({ requests: REQUESTS, seed, hole });
    assert(found.length > 0, `seed ${seed}: nothing was found of ${hole}`);
  }
});
