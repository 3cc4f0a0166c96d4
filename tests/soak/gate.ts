import { testSeed } from "../support/random.ts";
import { liveThroughMany } from "../sim/gate.ts";

const WORLDS = 100_000;

const seed = testSeed();
const counts = await liveThroughMany(seed, WORLDS);
console.log(JSON.stringify({ worlds: WORLDS, seed, ...counts }));
