import { assert, assertRejects } from "@std/assert";
import { Scope } from "../../src/generations/scope.ts";
import { SeededRandom, testSeed } from "../support/random.ts";
import { Broken, SimWorld } from "./world.ts";

const WORLDS = 150;
const STEPS = 400;
/** A canary lives until it is found, which takes a few worlds as a rule. */
const CANARY_WORLDS = 5_000;

/** Lives through worlds of the given seed; the message of what breaks tells how to replay it. */
async function simulate(seed: number, worlds: number): Promise<SimWorld["counts"]> {
  const seeds = new SeededRandom(seed);
  const sum = { bumps: 0, opened: 0, crashes: 0, acks: 0 };
  for (let n = 0; n < worlds; n++) {
    const worldSeed = seeds.below(2 ** 31);
    const world = new SimWorld(worldSeed);
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

Deno.test("simulator: no barrier opens early, no generation goes back, no page is behind what was told", async () => {
  const seed = testSeed();
  const counts = await simulate(seed, WORLDS);
  // A world in which nothing happens proves nothing.
  assert(counts.opened > WORLDS && counts.crashes > WORLDS, JSON.stringify({ seed, counts }));
  assert(counts.bumps > 10 * WORLDS && counts.acks > WORLDS, JSON.stringify({ seed, counts }));
});

Deno.test("simulator canary: an ack that counts for two watchers is found", async () => {
  const { ack } = Scope.prototype;
  Scope.prototype.ack = function (id, generation, epoch, nowNs) {
    const settled = ack.call(this, id, generation, epoch, nowNs);
    const [other] = this.late();
    return other === undefined ? settled : ack.call(this, other.id, generation, epoch, nowNs);
  };
  try {
    await assertRejects(() => simulate(testSeed(), CANARY_WORLDS), Broken, "the barrier opened");
  } finally {
    Scope.prototype.ack = ack;
  }
});

Deno.test("simulator canary: a page that is stored too late is found", async () => {
  const { apply } = Scope.prototype;
  Scope.prototype.apply = function (bump) {
    return apply.call(this, { ...bump, generation: bump.generation + 1 });
  };
  try {
    await assertRejects(() => simulate(testSeed(), CANARY_WORLDS), Broken, "the page shows");
  } finally {
    Scope.prototype.apply = apply;
  }
});
