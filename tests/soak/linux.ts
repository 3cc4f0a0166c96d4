/**
 * Rounds of making, booting and deleting Linux guests, and what is left of them in the daemon's
 * memory.
 *
 * Run with `deno run -A tests/soak/linux.ts [rounds]`. Ends with 1 when memory has grown by more
 * than a tenth; says so and ends with 0 where there is no kernel.
 *
 * @module
 */
import { MIB, PAGE_BYTES } from "../../src/core/limits.ts";
import { missingLinux } from "../support/linux_guest.ts";
import { LinuxDaemon } from "../support/linux_daemon.ts";

/** Until then code is still being compiled and heaps find their size. */
const WARM_UP_ROUNDS = 3;
const GROWTH_MAX = 0.1;
/** Threads that were ended need a moment to let go of their memory. */
const SETTLE_MS = 3_000;

const say = (line: string): number => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
const missing = missingLinux();
if (missing !== undefined) {
  say(`skipped: ${missing}`);
  Deno.exit(0);
}
const rounds = Number(Deno.args[0] ?? 20);
await using guests = await LinuxDaemon.open();
for (let round = 0; round < WARM_UP_ROUNDS; round++) await bootAndDelete(`warm-${round}`);
const before = await settledBytes();
for (let round = 0; round < rounds; round++) await bootAndDelete(`guest-${round}`);
const after = await settledBytes();
const growth = after / before - 1;
say(
  `${rounds} rounds: ${(before / MIB).toFixed(1)} MiB before, ${(after / MIB).toFixed(1)} MiB ` +
    `after, ${(growth * 100).toFixed(1)} % more`,
);
if (growth > GROWTH_MAX) Deno.exitCode = 1;

async function bootAndDelete(name: string): Promise<void> {
  const owner = await guests.boot(name);
  await guests.prompt(name);
  await guests.request("DELETE", `/v1/guests/${name}`, owner);
}

async function settledBytes(): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const pages = Deno.readTextFileSync(`/proc/${guests.daemon.child.pid}/statm`).split(" ")[1];
  return Number(pages) * PAGE_BYTES;
}
