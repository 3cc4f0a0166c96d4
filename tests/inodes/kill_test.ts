import { assertEquals } from "@std/assert";
import { killRound } from "../support/inode_kill.ts";
import { testSeed } from "../support/random.ts";

const ROUNDS = 6;

Deno.test("InodeStore.recover() has every byte that was acknowledged before kill -9", async () => {
  const seed = testSeed();
  for (let round = 0; round < ROUNDS; round++) await killRound(seed + round);
  // Writes to pages that are not cached leave nothing dirty, so about half of all kills find
  // nothing to restore. The last one is made when there is something.
  const restored = await killRound(seed + ROUNDS, { isDirty: true });
  assertEquals(restored, 1, `seed ${seed}: the last round restored no dirty bytes`);
});
