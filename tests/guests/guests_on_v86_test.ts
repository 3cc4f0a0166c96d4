import { assertEquals, assertRejects } from "@std/assert";
import { systemClock, systemRandom } from "../../src/cli/system.ts";
import { Fault } from "../../src/core/faults.ts";
import { V86Engine } from "../../src/engines/v86/engine.ts";
import { Guests, type GuestSpec } from "../../src/guests/guests.ts";
import { SnapshotFiles } from "../../src/storage/snapshot_files.ts";
import { CollectedEvents } from "../support/events.ts";
import { MemoryLedger } from "../support/ledger.ts";
import { HELLO, V86_PROGRAMS } from "../support/guest_programs.ts";

const identity = (generation: number) => ({
  generation,
  epoch: BigInt(generation),
  unique: systemRandom.bytes(16).toHex(),
});

const program = (bytes: Uint8Array): GuestSpec["from"] => ({
  program: { pfnLimit: 16, start: 0x1000n, load: [{ at: 0x1000n, bytes }] },
});

const spec = (id: string, from: GuestSpec["from"]): GuestSpec => ({
  id,
  scope: id,
  engine: "auto",
  from,
});

async function withGuests(fn: (guests: Guests) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  const guests = await Guests.open({
    engines: { v86: () => new V86Engine() },
    snapshots: await SnapshotFiles.open(folder),
    ledger: new MemoryLedger(),
    events: new CollectedEvents(),
    clock: systemClock,
    random: systemRandom,
  });
  try {
    await fn(guests);
  } finally {
    guests.close();
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("Guests on v86: two clones of one snapshot go on alike, each with its own generation", () =>
  withGuests(async (guests) => {
    const { guest, ownerToken } = await guests.create(spec("hello", program(HELLO)), identity(7));
    assertEquals(await guest.run(60_000), { reason: "notify", value: 0x600d });
    guest.interrupt(1);
    assertEquals(await guest.run(60_000), { reason: "notify", value: 1 });
    await guest.pause();
    const { id } = await guests.snapshot("hello", ownerToken);
    for (const generation of [8, 9]) {
      const from = { snapshot: id };
      const clone = (await guests.create(spec(`clone-${generation}`, from), identity(generation)))
        .guest;
      clone.interrupt(1);
      assertEquals(await clone.run(60_000), { reason: "notify", value: 2 });
      assertEquals((await clone.registers()).cx, BigInt(generation));
    }
    await guest.unpause();
    guest.interrupt(1);
    assertEquals(await guest.run(60_000), { reason: "notify", value: 2 });
    assertEquals((await guest.registers()).cx, 7n);
  }));

Deno.test("Guests on v86: delete ends a run in progress, and pause does not (cases 30, 39)", () =>
  withGuests(async (guests) => {
    const { guest } = await guests.create(spec("g", program(V86_PROGRAMS.spin)), identity(1));
    const first = guest.run(60_000);
    await guest.pause();
    assertEquals(await first, { reason: "interrupted" });
    await guest.unpause();
    const second = assertRejects(() => guest.run(60_000), Fault, "deleted");
    await new Promise((resolve) => setTimeout(resolve, 5));
    await guests.delete("g", { ownerToken: undefined, force: true });
    await second;
    assertEquals(guests.list(), []);
  }));
