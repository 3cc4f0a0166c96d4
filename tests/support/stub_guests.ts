import type { GuestMaker } from "../../routes/guests/views.ts";
import type { CreateGuest } from "../../src/guests/create_guest.ts";
import { type CreatedGuest, Guests } from "../../src/guests/guests.ts";
import type { SnapshotInfo } from "../../src/guests/snapshots/snapshots.ts";
import { FakeClock } from "./clock.ts";
import { CollectedEvents } from "./events.ts";
import { FAKE_PROGRAMS, FakeEngine } from "./guest_engine.ts";
import { guestFiles } from "./guest_files.ts";
import { bzImageOf } from "./kernels.ts";
import { MemoryLedger } from "./ledger.ts";
import { SeededRandom } from "./random.ts";
import { MemorySnapshots } from "./snapshot_store.ts";

const IDENTITY = { generation: 7, epoch: 1n, unique: "01".repeat(16) };

/**
 * A daemon with guests only: inode 5 holds the hello program, any other inode a kernel that needs
 * 20 MiB, and clones get the next generation.
 */
export class TestDaemon implements GuestMaker {
  private constructor(readonly guests: Guests, readonly clock: FakeClock) {}

  static async open(): Promise<TestDaemon> {
    const clock = new FakeClock();
    const guests = await Guests.open({
      engines: { v86: () => new FakeEngine() },
      files: guestFiles((inode) => inode === "5" ? FAKE_PROGRAMS.hello : bzImageOf()),
      snapshots: new MemorySnapshots(),
      ledger: new MemoryLedger(),
      events: new CollectedEvents(),
      clock,
      random: new SeededRandom(1),
    });
    return new TestDaemon(guests, clock);
  }

  snapshotGuest(id: string, ownerToken: string | undefined): Promise<SnapshotInfo> {
    return this.guests.snapshot(id, ownerToken);
  }

  createGuest(command: CreateGuest): Promise<CreatedGuest> {
    const { scope = "vm-7" } = command;
    return this.guests.create(command, (_guest, original) => {
      const generation = original === undefined ? IDENTITY.generation : original.generation + 1;
      return Promise.resolve({ scope, identity: { ...IDENTITY, generation } });
    });
  }
}
