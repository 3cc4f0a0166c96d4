/**
 * Bump to last confirmation of open files, beside as many WebSockets of the same daemon. It wants root
 * and a C compiler:
 *
 *     deno run -P=test bench/mount/fan_out.ts [COUNT…]     # 100 1000 when none is given
 *
 * Prints medians over alternating rounds by the daemon's own clock, and their ratio. One process has
 * all files open, and one all WebSockets.
 */
import { Daemon } from "../../tests/support/daemon.ts";
import { end, median, withClients, write } from "../load/measure.ts";

const ROUNDS = 25;
const WARM_UP = 10;

const folder = Deno.makeTempDirSync({ prefix: "innkeeper-bench-" });
const mount = `${folder}/mount`;
Deno.mkdirSync(mount);
const program = `${folder}/files`;
const source = new URL("files.c", import.meta.url).pathname;
await new Deno.Command("cc", { args: ["-O2", "-o", program, source] }).output();
const counts = Deno.args.length > 0 ? Deno.args.map(Number) : [100, 1000];
await write("watchers  files ms  WebSockets ms  files / WebSockets (min … max)");
try {
  for (const count of counts) await measure(count);
} finally {
  new Deno.Command("umount", { args: ["-l", mount], stderr: "null" }).outputSync();
  Deno.removeSync(folder, { recursive: true });
}

async function measure(count: number): Promise<void> {
  await using daemon = await Daemon.start({ folder, args: ["--mount", mount] });
  // The clients of the WebSockets watch "load".
  for (const scope of ["load", "files"]) {
    const headers = { "content-type": "application/json" };
    const init = { method: "PUT", headers, body: "{}" };
    await (await daemon.fetch(`/v1/scopes/${scope}`, init)).body?.cancel();
  }
  const clients = await withClients(
    `${daemon.url.replace("http", "ws")}/v1/watch`,
    count,
    daemon.token,
    true,
  );
  const files = new Deno.Command(program, {
    args: [`${mount}/scopes/files/sysgenid`, String(count)],
    stdout: "piped",
  }).spawn();
  const reader = files.stdout.getReader();
  await reader.read();
  const times = { files: [] as number[], sockets: [] as number[], ratio: [] as number[] };
  try {
    for (let round = -WARM_UP; round < ROUNDS; round++) {
      const [a, b] = [await bump(daemon, "files"), await bump(daemon, "load")];
      if (round < 0) continue;
      times.files.push(a);
      times.sockets.push(b);
      times.ratio.push(a / b);
    }
  } finally {
    files.kill("SIGKILL");
    await reader.cancel();
    await end(clients);
    await daemon.json(204, "DELETE", "/v1/scopes/load?force=true");
  }
  const [least, most] = [Math.min(...times.ratio), Math.max(...times.ratio)];
  await write(
    `${count}  ${median(times.files).toFixed(1)}  ${median(times.sockets).toFixed(1)}  ` +
      `${median(times.ratio).toFixed(2)} (${least.toFixed(2)} … ${most.toFixed(2)})`,
  );
}

async function bump(daemon: Daemon, scope: string): Promise<number> {
  const path = `/v1/scopes/${scope}`;
  const { generation } = await daemon.json(201, "POST", `${path}/bumps`, { reason: "bench" });
  const headers = { prefer: "wait=60" };
  const { status, body } = await daemon.fetch(`${path}/barrier?generation=${generation}`, {
    headers,
  });
  await body?.cancel();
  if (status !== 204) throw new Error(`the barrier answered ${status}`);
  return (await daemon.json(200, "GET", `${path}/history`)).items[0].tookMs;
}
