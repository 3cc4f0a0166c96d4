import type { CreateGuest, GuestHouse } from "../../src/daemon/guest_house.ts";
import { type CreatedGuest, Guests } from "../../src/guests/guests.ts";
import { FakeClock } from "./clock.ts";
import { CollectedEvents } from "./events.ts";
import { FAKE_PROGRAMS, FakeEngine } from "./guest_engine.ts";
import { bzImageOf } from "./kernels.ts";
import { MemoryLedger } from "./ledger.ts";
import { SeededRandom } from "./random.ts";
import { MemorySnapshots } from "./snapshot_store.ts";

const IDENTITY = { generation: 7, epoch: 1n, unique: "01".repeat(16) };

/** A house whose inode 5 holds the hello program, any inode a kernel that needs 20 MiB, and whose clones get the next generation. */
export class TestDaemon implements GuestHouse {
  private constructor(readonly guests: Guests, readonly clock: FakeClock) {}

  static async open(): Promise<TestDaemon> {
    const clock = new FakeClock();
    const guests = await Guests.open({
      engines: { v86: () => new FakeEngine() },
      snapshots: new MemorySnapshots(),
      ledger: new MemoryLedger(),
      events: new CollectedEvents(),
      clock,
      random: new SeededRandom(1),
    });
    return new TestDaemon(guests, clock);
  }

  async createGuest(
    { name, engine, scope = "vm-7", leaseMs, from }: CreateGuest,
  ): Promise<CreatedGuest> {
    const id = name ?? this.guests.newId();
    if ("snapshot" in from) {
      const { generation } = await this.guests.snapshots.get(from.snapshot);
      const identity = { ...IDENTITY, generation: generation + 1 };
      return await this.guests.create({ id, engine, scope, leaseMs, from }, identity);
    }
    if ("linux" in from) {
      const { memoryMiB, initrd, commandLine = "" } = from.linux;
      const linux = {
        memoryMiB,
        kernel: bzImageOf(),
        initrd: initrd === undefined ? undefined : new Uint8Array(1),
        commandLine,
      };
      return await this.guests.create({ id, engine, scope, leaseMs, from: { linux } }, IDENTITY);
    }
    const load = from.program.load.map((piece) =>
      "inode" in piece ? { at: piece.at, bytes: FAKE_PROGRAMS.hello } : piece
    );
    const program = { ...from.program, load };
    return await this.guests.create({ id, engine, scope, leaseMs, from: { program } }, IDENTITY);
  }
}
