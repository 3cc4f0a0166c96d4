/**
 * From the exec of the daemon to its first answer at `/readyz`, beside a bare `Deno.serve` that
 * answers "ok". Both are started by their own command, without npx, launcher or task. Run as a
 * program (`deno run -A bench/start_bench.ts`) it prints the idle memory of both.
 */
import { resolve } from "node:path/posix";
import { delay } from "@std/async";
import { grantsOf } from "../src/cli/grants.ts";
import { environment } from "../src/cli/environment.ts";
import { parseConfig } from "../tests/support/config.ts";
import { Libc } from "../src/native/libc.ts";

const APP = resolve(import.meta.dirname ?? ".", "..");
const BARE = `Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: ({ port }) =>
  console.log(JSON.stringify({ listen: ["http://127.0.0.1:" + port] })) }, () => new Response("ok"))`;

interface Started {
  readonly child: Deno.ChildProcess;
  readonly url: string;
}

/** Starts a program that prints where it listens, and waits for its first answer. */
async function start(args: string[]): Promise<Started> {
  const command = new Deno.Command(Deno.execPath(), { args, stdout: "piped", stderr: "null" });
  const child = command.spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const ready = JSON.parse((await reader.read()).value ?? "{}");
  await reader.cancel();
  const url = (ready.listen as string[]).find((one) => one.startsWith("http")) as string;
  const response = await fetch(`${url}/readyz`);
  await response.body?.cancel();
  if (!response.ok) throw new Error(`${url}/readyz answered ${response.status}`);
  return { child, url };
}

async function stop({ child }: Started): Promise<void> {
  child.kill("SIGTERM");
  await child.status;
}

async function daemonArgs(): Promise<string[]> {
  const folder = await Deno.makeTempDir();
  const flags = ["--state", `${folder}/state`, "--run", `${folder}/run`, "--listen", "127.0.0.1:0"];
  using libc = Libc.open();
  const config = parseConfig(flags, environment);
  const grants = grantsOf(config, APP, libc.path);
  return ["run", "--no-prompt", ...grants, `${APP}/src/cli/daemon.ts`, JSON.stringify(config)];
}

/** Resident memory of a process in MiB, as the kernel counts it. */
async function residentMiB(pid: number): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}

Deno.bench("bare Deno.serve", { group: "start", baseline: true, n: 20, warmup: 3 }, async (b) => {
  b.start();
  const started = await start(["eval", BARE]);
  b.end();
  await stop(started);
});

Deno.bench("innkeeper serve", { group: "start", n: 20, warmup: 3 }, async (b) => {
  const args = await daemonArgs();
  b.start();
  const started = await start(args);
  b.end();
  await stop(started);
});

if (import.meta.main) {
  const programs = { "bare Deno.serve": ["eval", BARE], "innkeeper serve": await daemonArgs() };
  for (const [name, args] of Object.entries(programs)) {
    const started = await start(args);
    await delay(2_000);
    const mib = (await residentMiB(started.child.pid)).toFixed(1);
    Deno.stderr.writeSync(new TextEncoder().encode(`${name}: ${mib} MiB resident when idle\n`));
    await stop(started);
  }
}
