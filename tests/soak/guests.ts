/**
 * Rounds of making, running and deleting guests on v86, and what is left of them in memory.
 *
 * Run with `deno run -A tests/soak/guests.ts [rounds]`. Ends with 1 when memory has grown by
 * more than a tenth.
 *
 * @module
 */
import { systemClock, systemRandom } from "../../src/cli/system.ts";
import { MIB } from "../../src/core/limits.ts";
import { V86Engines } from "../../src/engines/v86/engines.ts";
import { Guests } from "../../src/guests/guests.ts";
import { CollectedEvents } from "../support/events.ts";
import { guestFiles } from "../support/guest_files.ts";
import { guestRound, residentBytes } from "../support/guest_rounds.ts";
import { MemoryLedger } from "../support/ledger.ts";
import { MemorySnapshots } from "../support/snapshot_store.ts";

/** Until then code is still being compiled and heaps find their size. */
const WARM_UP_ROUNDS = 25;
const GROWTH_MAX = 0.1;

const rounds = Number(Deno.args[0] ?? 50);
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
for (let round = 0; round < WARM_UP_ROUNDS; round++) await guestRound(guests, `warm-${round}`);
const before = await settledBytes();
for (let round = 0; round < rounds; round++) await guestRound(guests, `guest-${round}`);
const after = await settledBytes();
guests.close();
const growth = after / before - 1;
const mib = (bytes: number): string => (bytes / MIB).toFixed(1);
const text = `${rounds} rounds: ${mib(before)} MiB before, ${mib(after)} MiB after, ` +
  `${(growth * 100).toFixed(1)} % more\n`;
Deno.stdout.writeSync(new TextEncoder().encode(text));
if (growth > GROWTH_MAX) Deno.exitCode = 1;

/** Memory once the threads that were ended have let go of theirs, and the spare one is there. */
async function settledBytes(): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 1000));
  return residentBytes();
}
