import { assert, assertEquals, assertRejects } from "@std/assert";
import { systemClock, systemRandom } from "../../src/cli/system.ts";
import { Fault } from "../../src/core/faults.ts";
import { MIB } from "../../src/core/limits.ts";
import { V86Engine } from "../../src/engines/v86/engine.ts";
import type { CreateGuest } from "../../src/guests/create_guest.ts";
import { Guests } from "../../src/guests/guests.ts";
import { SnapshotFiles } from "../../src/storage/snapshot_files.ts";
import { admin } from "../../src/access/tokens.ts";
import { guestRoutes } from "../../routes/guests/guests.ts";
import type { GuestMaker } from "../../routes/guests/views.ts";
import { Api } from "../support/api.ts";
import { CollectedEvents } from "../support/events.ts";
import { MemoryLedger } from "../support/ledger.ts";
import { guestFiles, showing } from "../support/guest_files.ts";
import { guestRound, residentBytes } from "../support/guest_rounds.ts";
import { HELLO, V86_PROGRAMS } from "../support/guest_programs.ts";
import { testWhere } from "../support/skip.ts";

const identity = (generation: number) =>
  showing({ generation, epoch: BigInt(generation), unique: systemRandom.bytes(16).toHex() });

type Origin = Pick<CreateGuest, "bare" | "snapshot">;

const program = (bytes: Uint8Array): Origin => ({
  bare: { pfnLimit: 16, start: 0x1000n, load: [{ at: 0x1000n, bytes }] },
});

const spec = (name: string, from: Origin): CreateGuest => ({ name, engine: "auto", ...from });

async function withGuests(fn: (guests: Guests) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  const guests = await Guests.open({
    engines: { v86: () => new V86Engine() },
    files: guestFiles(),
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
      assertEquals((await clone.registers.all()).cx, BigInt(generation));
    }
    await guest.unpause();
    guest.interrupt(1);
    assertEquals(await guest.run(60_000), { reason: "notify", value: 2 });
    assertEquals((await guest.registers.all()).cx, 7n);
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

// A guest is about 28 MiB; tests/soak/guests.ts does many more rounds and measures closer.
testWhere(
  "Guests on v86: rounds of create, run and delete leave no guest in memory",
  Deno.build.os === "linux" ? undefined : "memory is read from /proc",
  () =>
    withGuests(async (guests) => {
      for (let round = 0; round < 4; round++) await guestRound(guests, `warm-${round}`);
      const before = residentBytes();
      for (let round = 0; round < 8; round++) await guestRound(guests, `guest-${round}`);
      // Threads let go of their memory a little after they have ended.
      for (let tries = 0; tries < 100 && residentBytes() > before + 50 * MIB; tries++) {
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      const grown = (residentBytes() - before) / MIB;
      assert(grown < 50, `8 guests came and went and left ${grown} MiB`);
      assertEquals(guests.memoryBytes, 0);
    }),
);

/** Counts at 0x3000 and notifies 7, for ever. */
const COUNTER = [
  ...[0xbb, 0x00, 0x20, 0x00, 0x00, 0xb8, 0x01, 0x00, 0x00, 0x00, 0xe7, 0x1f],
  ...[0xbb, 0x07, 0x00, 0x00, 0x00, 0xff, 0x05, 0x00, 0x30, 0x00, 0x00],
  ...[0xb8, 0x11, 0x00, 0x00, 0x00, 0xe7, 0x1f, 0xeb, 0xf1],
];

Deno.test("Guests on v86: clients that vanish lose no notify and double none (case 28)", () =>
  withGuests(async (guests) => {
    const from = program(Uint8Array.from(COUNTER));
    const { guest, ownerToken } = await guests.create(spec("g", from), identity(1));
    await guest.channels.attach(7n);
    const unused = () => Promise.reject(new Error("unused"));
    const daemon: GuestMaker = { guests, createGuest: unused, snapshotGuest: unused };
    const { app } = Api.of(guestRoutes(daemon, new AbortController().signal));
    const listener = { kind: "unix", principal: admin("test") } as const;
    const server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen: () => {} },
      (request) => app.fetch(request, { listener }),
    );
    try {
      let taken = 0;
      for (let client = 0; client < 20; client++) {
        const gone = new AbortController();
        const run = fetch(`http://127.0.0.1:${server.addr.port}/v1/guests/g/runs`, {
          method: "POST",
          headers: { "content-type": "application/json", "innkeeper-owner": ownerToken },
          body: "{}",
          signal: gone.signal,
        });
        taken += await guest.channels.drain(7n, { waitMs: 10_000 });
        gone.abort();
        await run.catch(() => {});
        while (guest.state === "running") await new Promise((resolve) => setTimeout(resolve, 1));
        assertEquals(guest.exit, { reason: "interrupted" });
      }
      taken += await guest.channels.drain(7n, { waitMs: 0 });
      const counted = new DataView((await guest.memory.read(0x3000n, 4)).buffer).getUint32(0, true);
      assert(counted > 20 && (counted === taken || counted === taken + 1), `${counted}, ${taken}`);
    } finally {
      await server.shutdown();
    }
  }));
