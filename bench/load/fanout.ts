/**
 * Bump to last confirmation over real WebSockets, beside the floor in the same run:
 *
 *     deno run -A bench/load/fanout.ts [COUNT…]     # 100 1000 5000 when none is given
 *
 * Prints, for each number of watchers, medians of both over alternating rounds, their ratio, the
 * time per watcher, and the daemon's memory per watcher.
 */
import { Daemon } from "../../tests/support/daemon.ts";

const ROUNDS = 15;
const WARM_UP = 3;

interface Side {
  readonly pid: number;
  /** Bumps, and returns when all have confirmed. */
  bump(): Promise<void>;
  stop(): Promise<void>;
}

function spawn(file: string, args: readonly string[]): Deno.ChildProcess {
  const path = new URL(file, import.meta.url).pathname;
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", path, ...args],
    stdout: "piped",
  }).spawn();
}

async function firstLine(child: Deno.ChildProcess): Promise<string> {
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value = "" } = await reader.read();
  await reader.cancel();
  return value.trim();
}

async function withClients(url: string, count: number, token?: string): Promise<Deno.ChildProcess> {
  const args = [url, String(count), ...(token === undefined ? [] : [token])];
  const clients = spawn("fanout_clients.ts", args);
  if (await firstLine(clients) !== "connected") throw new Error("the clients did not connect");
  return clients;
}

async function end(child: Deno.ChildProcess): Promise<void> {
  child.kill("SIGKILL");
  await child.status;
}

async function floor(count: number): Promise<Side> {
  const server = spawn("fanout_floor.ts", []);
  const host = `127.0.0.1:${await firstLine(server)}`;
  const clients = await withClients(`ws://${host}`, count);
  return {
    pid: server.pid,
    bump: async () => void await (await fetch(`http://${host}/bump`, { method: "POST" })).text(),
    stop: async () => void await Promise.all([end(clients), end(server)]),
  };
}

async function innkeeper(count: number): Promise<Side & { bytesPerWatcher: number }> {
  const daemon = await Daemon.start();
  await daemon.json(201, "PUT", "/v1/scopes/load", {});
  await daemon.json(201, "POST", "/v1/scopes/load/bumps", { reason: "warm" });
  const before = await residentBytes(daemon.child.pid);
  const url = `${daemon.url.replace("http", "ws")}/v1/watch`;
  const clients = await withClients(url, count, daemon.token);
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
    },
    async stop() {
      await end(clients);
      await daemon.stop();
    },
  };
}

async function residentBytes(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
}

async function timed(side: Side): Promise<number> {
  const start = performance.now();
  await side.bump();
  return performance.now() - start;
}

const median = (values: number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;

const counts = Deno.args.length > 0 ? Deno.args.map(Number) : [100, 1000, 5000];
const write = (line: string) => Deno.stdout.write(new TextEncoder().encode(`${line}\n`));
await write("watchers  floor ms  innkeeper ms  ratio (min … max)  us/watcher  KiB/watcher");
for (const count of counts) {
  const bare = await floor(count);
  const ours = await innkeeper(count);
  const times = { bare: [] as number[], ours: [] as number[], ratio: [] as number[] };
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    const [a, b] = [await timed(bare), await timed(ours)];
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
