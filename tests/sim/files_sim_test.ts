import { assert, assertRejects } from "@std/assert";
import { FileWatchers } from "../../src/mount/file_watchers.ts";
import { SeededRandom, testSeed } from "../support/random.ts";
import { FileWorld } from "./file_world.ts";
import { Broken } from "./world.ts";

const WORLDS = 100;
const STEPS = 300;
/** A canary lives until it is found, which takes a few worlds as a rule. */
const CANARY_WORLDS = 2_000;

async function simulate(seed: number, worlds: number): Promise<FileWorld["counts"]> {
  const seeds = new SeededRandom(seed);
  const sum = { opened: 0, handedOver: 0, mountsLost: 0, bumps: 0, left: 0 };
  for (let n = 0; n < worlds; n++) {
    const worldSeed = seeds.below(2 ** 31);
    const world = new FileWorld(worldSeed);
    try {
      await world.live(STEPS);
    } catch (error) {
      if (!(error instanceof Broken)) throw error;
      throw new Broken(`${error.message} (world ${worldSeed}; INNKEEPER_TEST_SEED=${seed})`);
    }
    for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += world.counts[key];
  }
  return sum;
}

Deno.test("file simulator: no barrier opens early and no watcher leaks, over restarts and dead mounts", async () => {
  const seed = testSeed();
  const counts = await simulate(seed, WORLDS);
  // A world in which nothing happens proves nothing.
  for (const [what, count] of Object.entries(counts)) {
    assert(count > WORLDS, `${what}: ${JSON.stringify({ seed, counts })}`);
  }
});

Deno.test("file simulator canary: a restart that counts as an ack is found", async () => {
  const { reopen } = FileWatchers.prototype;
  FileWatchers.prototype.reopen = function (scope, saved) {
    return reopen.call(this, scope, { ...saved, ackedEpoch: String(scope.state.epoch) });
  };
  try {
    await assertRejects(() => simulate(testSeed(), CANARY_WORLDS), Broken, "the barrier opened");
  } finally {
    FileWatchers.prototype.reopen = reopen;
  }
});

Deno.test("file simulator canary: a held file that is released by whoever opens one is found", async () => {
  const { open } = FileWatchers.prototype;
  FileWatchers.prototype.open = async function (scope, name, info, by) {
    for (const { id, presence } of [...scope.state.watchers]) {
      if (presence === "held") await scope.watchers.release(id);
    }
    return await open.call(this, scope, name, info, by);
  };
  try {
    await assertRejects(
      () => simulate(testSeed(), CANARY_WORLDS),
      Broken,
      "was released by an open",
    );
  } finally {
    FileWatchers.prototype.open = open;
  }
});
