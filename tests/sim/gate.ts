import { SeededRandom } from "../support/random.ts";
import { finale } from "./gate_finale.ts";
import { GateLife } from "./gate_life.ts";
import { GateWorld } from "./gate_world.ts";
import { Broken } from "./world.ts";

const STEPS = 100;

/** Lives through one world; the message of what breaks tells how to replay it. */
export async function liveThrough(seed: number): Promise<GateWorld["counts"]> {
  const world = new GateWorld(seed);
  const life = new GateLife(world);
  try {
    await life.live(STEPS);
    await finale(world, life);
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    throw new Broken(`${error.message} (world ${seed})`);
  }
  return world.counts;
}

/** Lives through so many worlds, and sums up what happened in them. */
export async function liveThroughMany(seed: number, worlds: number): Promise<GateWorld["counts"]> {
  const seeds = new SeededRandom(seed);
  let sum: GateWorld["counts"] | undefined;
  for (let n = 0; n < worlds; n++) {
    const counts = await liveThrough(seeds.below(2 ** 31));
    sum = sum === undefined ? counts : add(sum, counts);
  }
  return sum ?? new GateWorld(0).counts;
}

function add(sum: GateWorld["counts"], more: GateWorld["counts"]): GateWorld["counts"] {
  for (const key of Object.keys(sum) as (keyof typeof sum)[]) sum[key] += more[key];
  return sum;
}
