import { testSeed } from "../support/random.ts";
import { liveThroughMany } from "../sim/gate.ts";

const WORLDS = 100_000;

const seed = testSeed();
const counts = await liveThroughMany(seed, WORLDS);
await Deno.stdout.write(
  new TextEncoder().encode(`${JSON.stringify({ worlds: WORLDS, seed, ...counts })}\n`),
);
