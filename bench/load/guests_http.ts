/**
 * Runs of guests over HTTP, beside a bare Hono that says hello, in alternating rounds:
 *
 *     deno run -A bench/load/guests_http.ts
 *
 * Every connection has a guest of its own and asks again when it is answered. Prints medians of
 * both and their ratio.
 */
import { Daemon } from "../../tests/support/daemon.ts";
import { repeat, requestText } from "./keep_alive.ts";
import { end, firstLine, median, spawn, write } from "./measure.ts";

const ROUNDS = 7;
const ROUND_MS = 1500;

/** INIT, then NOTIFY 1 for ever. To be loaded at 0x1000. */
const NOTIFIER = Uint8Array.fromHex("bb00200000b801000000e71fbb01000000b811000000e71febf2");

async function guestRun(daemon: Daemon, name: string): Promise<Uint8Array<ArrayBuffer>> {
  const load = [{ at: 4096, bytes: NOTIFIER.toBase64() }];
  const bare = { pfnLimit: 1024, start: 4096, load };
  const { ownerToken } = await daemon.json(201, "POST", "/v1/guests", { name, bare });
  return requestText("POST", `/v1/guests/${name}/runs`, {
    authorization: `Bearer ${daemon.token}`,
    "innkeeper-owner": ownerToken,
    "content-type": "application/json",
  }, "{}");
}

async function perSecond(
  port: number,
  requests: readonly Uint8Array<ArrayBuffer>[],
): Promise<number> {
  const untilMs = performance.now() + ROUND_MS;
  const counts = await Promise.all(requests.map((request) => repeat(port, request, untilMs)));
  return counts.reduce((sum, count) => sum + count, 0) / ROUND_MS * 1000;
}

const hello = spawn("hono_hello.ts", []);
const helloPort = Number(await firstLine(hello));
const daemon = await Daemon.start();
const daemonPort = Number(new URL(daemon.url).port);
for (const connections of [1, 4]) {
  const names = Array.from({ length: connections }, (_, index) => `g-${connections}-${index}`);
  const runs = await Promise.all(names.map((name) => guestRun(daemon, name)));
  const hellos = runs.map(() => requestText("GET", "/", {}));
  const [ours, floor]: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    floor.push(await perSecond(helloPort, hellos));
    ours.push(await perSecond(daemonPort, runs));
  }
  const ratio = median(ours.map((value, round) => value / (floor[round] as number)));
  await write(
    `${connections} connections: ${Math.round(median(ours))} runs/s, ` +
      `${Math.round(median(floor))} hellos/s, ratio ${ratio.toFixed(2)}`,
  );
}
await end(hello);
await daemon.stop();
