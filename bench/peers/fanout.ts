/**
 * Bump to last confirmation, beside Redis and etcd in the same run:
 *
 *     deno run -A bench/peers/fanout.ts [COUNT…] [--rounds=N]   # 100 1000 5000, 25 rounds
 *
 * All clients are in Deno, in a process of their own, one connection each; the time is that of the
 * bumper's clock. Rounds take turns. A peer that is not installed is left out, with the reason.
 */
import { median, write } from "../load/measure.ts";
import { etcd } from "./etcd.ts";
import { innkeeper } from "./innkeeper.ts";
import { redis } from "./redis.ts";
import type { Side } from "./side.ts";

const WARM_UP = 5;
const ROUNDS_DEFAULT = 25;

const flag = Deno.args.find((arg) => arg.startsWith("--rounds="));
const rounds = flag === undefined ? ROUNDS_DEFAULT : Number(flag.slice("--rounds=".length));
const given = Deno.args.filter((arg) => arg !== flag).map(Number);
const counts = given.length > 0 ? given : [100, 1000, 5000];

const peers = [innkeeper, redis, etcd];
for (const { name, missing } of peers) {
  if (missing !== undefined) await write(`${name} is left out: ${missing}`);
}
const present = peers.filter(({ missing }) => missing === undefined);

await write("watchers  system  median ms  min … max  beside innkeeper");
for (const count of counts) {
  const sides: Side[] = [];
  try {
    for (const peer of present) sides.push(await peer.start(count));
    const times = new Map(sides.map(({ name }) => [name, [] as number[]]));
    for (let round = -WARM_UP; round < rounds; round++) {
      for (const side of sides) {
        const tookMs = await side.bump();
        if (round >= 0) times.get(side.name)?.push(tookMs);
      }
    }
    const own = median(times.get(innkeeper.name) ?? []);
    for (const [name, all] of times) {
      const [least, most] = [Math.min(...all), Math.max(...all)];
      const ms = median(all);
      await write(
        `${count}  ${name}  ${ms.toFixed(1)}  ${least.toFixed(1)} … ${most.toFixed(1)}  ` +
          `${(ms / own).toFixed(2)} ×`,
      );
    }
  } finally {
    await Promise.all(sides.map((side) => side.stop()));
  }
}
