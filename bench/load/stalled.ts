/**
 * What clients that do not read cost the others: 900 watchers confirm bumps, first alone, then
 * beside 100 stopped ones.
 *
 *     deno run -A bench/load/stalled.ts
 */
import { Daemon } from "../../tests/support/daemon.ts";
import { median, residentBytes, withClients, write } from "./measure.ts";

const READING = 900;
const STALLED = 100;
const ROUNDS = 30;
const FLOOD = 2_000;
const MIB = 1024 * 1024;

async function bump(daemon: Daemon): Promise<number> {
  await daemon.json(201, "POST", "/v1/scopes/load/bumps", { reason: "x".repeat(250) });
  const headers = { prefer: "wait=60" };
  const { status, body } = await daemon.fetch("/v1/scopes/load/barrier", { headers });
  await body?.cancel();
  if (status !== 204) throw new Error(`the barrier answered ${status}`);
  return (await daemon.json(200, "GET", "/v1/scopes/load/history")).items[0].tookMs;
}

async function flood(daemon: Daemon): Promise<void> {
  for (let n = 0; n < FLOOD; n++) {
    await daemon.json(201, "POST", "/v1/scopes/load/bumps", { reason: "x".repeat(250) });
  }
}

async function rounds(daemon: Daemon): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) times.push(await bump(daemon));
  return median(times);
}

const daemon = await Daemon.start();
await daemon.json(201, "PUT", "/v1/scopes/load", {});
const url = `${daemon.url.replace("http", "ws")}/v1/watch`;
const readers = await withClients(url, READING, daemon.token, true);
await flood(daemon);
const alone = await rounds(daemon);
const before = await residentBytes(daemon.child.pid);
await flood(daemon);
const grownAlone = (await residentBytes(daemon.child.pid) - before) / MIB;

const stalled = await withClients(url, STALLED, daemon.token, false);
const beforeStall = await residentBytes(daemon.child.pid);
stalled.kill("SIGSTOP");
const beside = await rounds(daemon);
await flood(daemon);
const flooded = await rounds(daemon);
const grown = (await residentBytes(daemon.child.pid) - beforeStall) / MIB;
await write(`${READING} alone: ${alone.toFixed(1)} ms`);
await write(`beside ${STALLED} stopped: ${beside.toFixed(1)} ms, ${(beside / alone).toFixed(2)} x`);
await write(
  `after ${FLOOD} more bumps: ${flooded.toFixed(1)} ms, ${(flooded / alone).toFixed(2)} x`,
);
await write(`memory grew by ${grownAlone.toFixed(1)} MiB in ${FLOOD} bumps alone`);
await write(`memory grew by ${grown.toFixed(1)} MiB in as many beside the stopped ones`);
for (const child of [readers, stalled]) child.kill("SIGKILL");
await Promise.all([readers.status, stalled.status, daemon.stop()]);
