import { assert } from "@std/assert";
import { killRound } from "../support/inode_kill.ts";
import { testSeed } from "../support/random.ts";

const ROUNDS = 6;

Deno.test("InodeStore.recover() has every byte that was acknowledged before kill -9", async () => {
  const seed = testSeed();
  let restored = 0;
  for (let round = 0; round < ROUNDS; round++) restored += await killRound(seed + round);
  assert(restored > 0, `seed ${seed}: no round left any dirty bytes: this test tests nothing`);
});
