/**
 * What guests cost a daemon:
 *
 *     deno run -A bench/load/guests.ts
 *
 * Prints the time from POST to the first notify of fresh guests and of clones, whether a hundred
 * clones stay as quick and as small as the first, the memory of an idle guest, and how late
 * requests and timers are, and how soon a guest is paused, while guests compute.
 */
import { systemClock, systemRandom } from "../../src/cli/system.ts";
import { MIB, PAGE_BYTES } from "../../src/core/limits.ts";
import { V86Engines } from "../../src/engines/v86/engines.ts";
import { Guests } from "../../src/guests/guests.ts";
import { Daemon } from "../../tests/support/daemon.ts";
import { guestFiles, showing } from "../../tests/support/guest_files.ts";
import { CollectedEvents } from "../../tests/support/events.ts";
import { MemoryLedger } from "../../tests/support/ledger.ts";
import { MemorySnapshots } from "../../tests/support/snapshot_store.ts";
import { HELLO } from "../../tests/support/guest_programs.ts";
import { median, residentBytes, write } from "./measure.ts";

const FRESH = 20;
const CLONES = 100;
const SPINNING = 4;
const SAMPLES = 1000;
const PAUSES = 100;
/** The next Worker is started this long after a guest was made. */
const SPARE_READY_MS = 400;

/** inc %ecx; jmp .-1 */
const SPIN = Uint8Array.of(0x41, 0xeb, 0xfd);

const pause = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms));
const ms = (value: number): string => `${value.toFixed(1)} ms`;
const mib = (bytes: number): string => `${(bytes / MIB).toFixed(1)} MiB`;

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number;
}

const bare = (memoryMiB: number, program: Uint8Array) => ({
  pfnLimit: memoryMiB * MIB / PAGE_BYTES,
  start: 4096,
  load: [{ at: 4096, bytes: program.toBase64() }],
});

/** Makes a guest and runs it to its next notify; returns how long that took and its owner. */
async function toNotify(
  daemon: Daemon,
  json: Record<string, unknown>,
): Promise<{ tookMs: number; owner: Record<string, string> }> {
  const beginMs = performance.now();
  const made = await daemon.json(201, "POST", "/v1/guests", json);
  const owner = { "innkeeper-owner": made.ownerToken, "content-type": "application/json" };
  if ("snapshot" in json) {
    await daemon.json(202, "POST", `/v1/guests/${made.id}/interrupts`, { line: 1 });
  }
  const run = await daemon.fetch(`/v1/guests/${made.id}/runs`, {
    method: "POST",
    headers: owner,
    body: "{}",
  });
  const exit = await run.json();
  if (exit.reason !== "notify") throw new Error(JSON.stringify(exit));
  return { tookMs: performance.now() - beginMs, owner };
}

const remove = (daemon: Daemon, name: string): Promise<unknown> =>
  daemon.json(204, "DELETE", `/v1/guests/${name}`);

async function fresh(daemon: Daemon): Promise<void> {
  const first = (await toNotify(daemon, { name: "first", bare: bare(4, HELLO) })).tookMs;
  await remove(daemon, "first");
  const [rested, pressed]: [number[], number[]] = [[], []];
  for (let index = 0; index < FRESH; index++) {
    for (const [waitMs, times] of [[SPARE_READY_MS, rested], [0, pressed]] as const) {
      await pause(waitMs);
      times.push((await toNotify(daemon, { name: "g", bare: bare(4, HELLO) })).tookMs);
      await remove(daemon, "g");
    }
  }
  await write(
    `POST to first notify, 4 MiB: first ${ms(first)}; then median ${ms(median(rested))} with a ` +
      `Worker ready, ${ms(median(pressed))} without`,
  );
}

async function snapshotOf(daemon: Daemon, memoryMiB: number, filledMiB: number): Promise<string> {
  const { owner } = await toNotify(daemon, { name: "parent", bare: bare(memoryMiB, HELLO) });
  const request = (method: string, path: string, body: BodyInit, type: string) =>
    daemon.fetch(`/v1/guests/parent${path}`, {
      method,
      headers: { ...owner, "content-type": type },
      body,
    });
  const chunk = crypto.getRandomValues(new Uint8Array(65_536));
  for (let at = MIB; at < filledMiB * MIB; at += chunk.length) {
    const path = `/memory/ranges/${at}-${at + chunk.length - 1}`;
    await (await request("PUT", path, chunk, "application/octet-stream")).body?.cancel();
  }
  const json = "application/json";
  await (await request("PUT", "/state", '{"state":"paused"}', json)).body?.cancel();
  const snapshot = await (await request("POST", "/snapshots", "", json)).json();
  await remove(daemon, "parent");
  return snapshot.id;
}

async function clones(daemon: Daemon): Promise<void> {
  for (const filledMiB of [0, 16]) {
    const snapshot = await snapshotOf(daemon, 16, filledMiB);
    const times: number[] = [];
    for (let index = 0; index < FRESH; index++) {
      await pause(SPARE_READY_MS);
      times.push((await toNotify(daemon, { name: "c", snapshot })).tookMs);
      await remove(daemon, "c");
    }
    await write(
      `clone of 16 MiB, ${filledMiB} MiB not zero, POST to its first notify: ` +
        `median ${ms(median(times))}, p95 ${ms(percentile(times, 0.95))}`,
    );
  }
}

async function manyClones(daemon: Daemon): Promise<void> {
  const snapshot = await snapshotOf(daemon, 4, 0);
  const before = await residentBytes(daemon.child.pid);
  const times: number[] = [];
  const sizes: number[] = [];
  for (let index = 0; index < CLONES; index++) {
    times.push((await toNotify(daemon, { name: `c-${index}`, snapshot })).tookMs);
    sizes.push(await residentBytes(daemon.child.pid));
  }
  const tenth = CLONES / 10;
  const each = ((sizes.at(-1) as number) - before) / CLONES;
  const firstTen = ((sizes[tenth - 1] as number) - before) / tenth;
  await write(
    `${CLONES} clones of one snapshot of 4 MiB: the first ten ${
      ms(median(times.slice(0, tenth)))
    } ` +
      `and ${mib(firstTen)} each, the last ten ${ms(median(times.slice(-tenth)))}, ` +
      `all ${mib(each)} each`,
  );
  for (let index = 0; index < CLONES; index++) await remove(daemon, `c-${index}`);
  await pause(2000);
  const left = await residentBytes(daemon.child.pid) - before;
  await write(`after deleting them: ${mib(left)} more than before, which later guests use`);
}

async function requestsWhileSpinning(daemon: Daemon): Promise<void> {
  const lateness = async (): Promise<string> => {
    const times: number[] = [];
    for (let sample = 0; sample < SAMPLES; sample++) {
      const beginMs = performance.now();
      await (await daemon.fetch("/healthz")).body?.cancel();
      times.push(performance.now() - beginMs);
    }
    return `median ${ms(median(times))}, p99 ${ms(percentile(times, 0.99))}`;
  };
  const idle = await lateness();
  const owners: string[] = [];
  const setState = async (index: number, state: string): Promise<void> => {
    const response = await daemon.fetch(`/v1/guests/s-${index}/state`, {
      method: "PUT",
      headers: {
        "innkeeper-owner": owners[index] as string,
        "content-type": "application/json",
      },
      body: JSON.stringify({ state }),
    });
    await response.body?.cancel();
    if (!response.ok) throw new Error(`${state} was answered by ${response.status}`);
  };
  for (let index = 0; index < SPINNING; index++) {
    const json = { name: `s-${index}`, bare: bare(4, SPIN) };
    owners.push((await daemon.json(201, "POST", "/v1/guests", json)).ownerToken);
    await setState(index, "running");
  }
  await write(`a request while nothing runs: ${idle}`);
  await write(`a request while ${SPINNING} guests spin: ${await lateness()}`);
  const stops: number[] = [];
  for (let index = 0; index < PAUSES; index++) {
    await pause(10);
    const beginMs = performance.now();
    await setState(0, "paused");
    stops.push(performance.now() - beginMs);
    await setState(0, "running");
  }
  await write(
    `pausing one of them: median ${ms(median(stops))}, at most ${ms(percentile(stops, 1))}`,
  );
  for (let index = 0; index < SPINNING; index++) await remove(daemon, `s-${index}`);
}

/** How late timers of the thread are that the daemon's code runs on. */
async function timersWhileSpinning(): Promise<void> {
  using engines = new V86Engines();
  const guests = await Guests.open({
    engines: { v86: () => engines.make() },
    files: guestFiles(),
    snapshots: new MemorySnapshots(),
    ledger: new MemoryLedger(),
    events: new CollectedEvents(),
    clock: systemClock,
    random: systemRandom,
  });
  const lateness = async (): Promise<string> => {
    const times: number[] = [];
    for (let sample = 0; sample < SAMPLES; sample++) {
      const beginMs = performance.now();
      await pause(5);
      times.push(performance.now() - beginMs - 5);
    }
    return `median ${ms(median(times))}, p99 ${ms(percentile(times, 0.99))}`;
  };
  await write(`event-loop delay while nothing runs: ${await lateness()}`);
  for (let index = 0; index < SPINNING; index++) {
    const load = [{ at: 0x1000n, bytes: SPIN }];
    const bare = { pfnLimit: 16, start: 0x1000n, load };
    const command = { name: `s-${index}`, engine: "auto", bare } as const;
    const enter = showing({ generation: 1, epoch: 1n, unique: "00".repeat(16) });
    await (await guests.create(command, enter)).guest.start();
  }
  await write(`event-loop delay while ${SPINNING} guests spin: ${await lateness()}`);
  guests.close();
}

{
  await using daemon = await Daemon.start();
  await fresh(daemon);
  await clones(daemon);
  await requestsWhileSpinning(daemon);
}
{
  await using daemon = await Daemon.start();
  await manyClones(daemon);
}
await timersWhileSpinning();
