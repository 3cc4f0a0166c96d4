/**
 * Times the mounted driver's calls beside the same over HTTP on the unix socket, and beside an
 * eventfd between two processes. It wants root and a C compiler:
 *
 *     deno run -P=test bench/mount/calls.ts [FOLDER]
 *
 * FOLDER holds the ledger: a bump costs what its storage takes to make a commit durable, and on
 * tmpfs it takes nothing. Columns: median and 99th percentile in microseconds.
 */
import { write } from "../../src/cli/output.ts";
import { Daemon } from "../../tests/support/daemon.ts";

const ROUNDS = 500;

const folder = Deno.makeTempDirSync({ dir: Deno.args[0] ?? "/tmp", prefix: "innkeeper-bench-" });
const mount = `${folder}/mount`;
Deno.mkdirSync(mount);
const daemon = await Daemon.start({ folder, args: ["--mount", mount] });
try {
  await daemon.json(201, "PUT", "/v1/scopes/bench", {});
  const source = new URL("calls.c", import.meta.url).pathname;
  const program = `${folder}/calls`;
  await new Deno.Command("cc", { args: ["-O2", "-o", program, source] }).output();
  const { stdout } = await new Deno.Command(program, {
    args: [`${mount}/scopes/bench/sysgenid`],
    stderr: "inherit",
  }).output();
  const rows = new TextDecoder().decode(stdout).trim().split("\n").map((line) => {
    const [, name = "", median = "", p99 = ""] = /^(.*) (\S+) (\S+)$/.exec(line) ?? [line];
    return { name, median, p99 };
  });
  rows.push(...await overHttp());
  for (const { name, median, p99 } of rows) {
    write(Deno.stdout, `${name.padEnd(32)} ${median.padStart(8)} ${p99.padStart(8)}\n`);
  }
} finally {
  await daemon.stop();
  new Deno.Command("umount", { args: ["-l", mount], stderr: "null" }).outputSync();
  Deno.removeSync(folder, { recursive: true });
}

async function overHttp(): Promise<{ name: string; median: string; p99: string }[]> {
  using client = Deno.createHttpClient({
    proxy: { transport: "unix", path: daemon.socketPath },
  });
  const call = async (method: string, path: string, body?: unknown): Promise<Response> => {
    const headers = { "content-type": "application/json" };
    const init = body === undefined ? {} : { body: JSON.stringify(body), headers };
    const response = await fetch(`http://localhost${path}`, { client, method, ...init });
    return new Response(await response.text(), { status: response.status });
  };
  const bumps = await timed(() => call("POST", "/v1/scopes/bench/bumps", { reason: "bench" }));
  await call("PUT", "/v1/scopes/bench/watchers/w", { name: "w", track: false });
  const acks = await timed(async () => {
    const { generation } = await (await call("GET", "/v1/scopes/bench")).json();
    await call("POST", "/v1/scopes/bench/watchers/w/ack", { generation });
  });
  return [{ name: "HTTP: bump", ...bumps }, { name: "HTTP: read and ack", ...acks }];
}

async function timed(run: () => Promise<unknown>): Promise<{ median: string; p99: string }> {
  const times: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const start = performance.now();
    await run();
    times.push((performance.now() - start) * 1_000);
  }
  times.sort((a, b) => a - b);
  const at = (share: number): string => (times[Math.floor(ROUNDS * share)] ?? 0).toFixed(1);
  return { median: at(0.5), p99: at(0.99) };
}
