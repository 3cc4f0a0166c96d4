/**
 * Bump to last confirmation over real WebSockets, beside the floor in the same run:
 *
 *     deno run -A bench/load/fanout.ts [COUNT…]     # 100 1000 5000 when none is given
 *
 * Prints, for each number of watchers, medians of both over alternating rounds, their ratio, the
 * time per watcher, and the daemon's memory per watcher.
 */
import { Daemon } from "../../tests/support/daemon.ts";
import { end, firstLine, median, residentBytes, spawn, withClients, write } from "./measure.ts";

const ROUNDS = 25;
const WARM_UP = 10;

interface Side {
  readonly pid: number;
  /** Bumps; returns the milliseconds until all had confirmed, by the server's own clock. */
  bump(): Promise<number>;
  stop(): Promise<void>;
}

async function floor(count: number): Promise<Side> {
  const server = spawn("fanout_floor.ts", []);
  const host = `127.0.0.1:${await firstLine(server)}`;
  const clients = await withClients(`ws://${host}`, count, undefined, true);
  return {
    pid: server.pid,
    bump: async () => await (await fetch(`http://${host}/bump`, { method: "POST" })).json(),
    stop: async () => void await Promise.all([end(clients), end(server)]),
  };
}

async function innkeeper(count: number): Promise<Side & { bytesPerWatcher: number }> {
  const daemon = await Daemon.start();
  await daemon.json(201, "PUT", "/v1/scopes/load", {});
  await daemon.json(201, "POST", "/v1/scopes/load/bumps", { reason: "warm" });
  const before = await residentBytes(daemon.child.pid);
  const url = `${daemon.url.replace("http", "ws")}/v1/watch`;
  const clients = await withClients(url, count, daemon.token, true);
  const headers = { prefer: "wait=60" };
  return {
    pid: daemon.child.pid,
    bytesPerWatcher: (await residentBytes(daemon.child.pid) - before) / count,
    async bump() {
      const { generation } = await daemon.json(201, "POST", "/v1/scopes/load/bumps", {
        reason: "load",
      });
      const path = `/v1/scopes/load/barrier?generation=${generation}`;
      const { status, body } = await daemon.fetch(path, { headers });
      await body?.cancel();
      if (status !== 204) throw new Error(`the barrier answered ${status}`);
      return (await daemon.json(200, "GET", "/v1/scopes/load/history")).items[0].tookMs;
    },
    async stop() {
      await end(clients);
      await daemon.stop();
    },
  };
}

const counts = Deno.args.length > 0 ? Deno.args.map(Number) : [100, 1000, 5000];
await write("watchers  floor ms  innkeeper ms  ratio (min … max)  us/watcher  KiB/watcher");
for (const count of counts) {
  const bare = await floor(count);
  const ours = await innkeeper(count);
  const times = { bare: [] as number[], ours: [] as number[], ratio: [] as number[] };
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    const [a, b] = [await bare.bump(), await ours.bump()];
    if (round < 0) continue;
    times.bare.push(a);
    times.ours.push(b);
    times.ratio.push(b / a);
  }
  await Promise.all([bare.stop(), ours.stop()]);
  const ms = median(times.ours);
  const [least, most] = [Math.min(...times.ratio), Math.max(...times.ratio)];
  await write(
    `${count}  ${median(times.bare).toFixed(1)}  ${ms.toFixed(1)}  ` +
      `${median(times.ratio).toFixed(2)} (${least.toFixed(2)} … ${most.toFixed(2)})  ` +
      `${(ms * 1000 / count).toFixed(1)}  ${(ours.bytesPerWatcher / 1024).toFixed(1)}`,
  );
}
