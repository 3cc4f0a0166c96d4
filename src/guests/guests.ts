import type { GuestIdentity } from "../core/ports/guest_engine.ts";
import { Fault } from "../core/faults.ts";
import { commit } from "../core/commit.ts";
import { Leases } from "../core/leases.ts";
import { GUEST_BYTES_TOTAL_MAX, GUESTS_MAX } from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { EventSink } from "../core/ports/events.ts";
import type { Ledger } from "../core/ports/ledger.ts";
import type { Random } from "../core/ports/random.ts";
import type { SnapshotStore } from "../core/ports/snapshot_store.ts";
import type { Engines } from "./engines.ts";
import { goneEngine } from "./guest/gone.ts";
import { Guest, type GuestDeath } from "./guest/guest.ts";
import type { GuestSpec } from "./guest_spec.ts";
import { checkLinux } from "./linux/linux.ts";
import { LinuxMachine, type MachineParts } from "./linux/linux_machine.ts";
import { type Made, makeGuest, type MakingParts } from "./create_guest.ts";
import { checkProgram } from "./program.ts";
import { guestEntry, guestGone, type GuestRecord, HOST_RESTART } from "./records.ts";
import { type SnapshotInfo, Snapshots } from "./snapshots/snapshots.ts";

/** What guests need from outside. */
interface GuestPorts {
  readonly engines: Engines;
  readonly snapshots: SnapshotStore;
  readonly ledger: Ledger;
  readonly events: EventSink;
  readonly clock: Clock;
  readonly random: Random;
}

/** A guest that was made, and the token of its owner, which is told only here. */
export interface CreatedGuest {
  readonly guest: Guest;
  readonly ownerToken: string;
}

const NO_DEVICES: MachineParts = { disks: [], share: undefined };
const OWNER_TOKEN_BYTES = 32;
const ID_BYTES = 8;

/** A guest that is there, with what goes with it. */
interface Kept {
  readonly guest: Guest;
  readonly record: GuestRecord;
  /** It is being forgotten: what happens to it now is not to be kept. */
  leaving: boolean;
}

/** The guests of a daemon. */
export class Guests {
  readonly snapshots: Snapshots;
  readonly #ports: GuestPorts;
  readonly #making: MakingParts;
  readonly #kept = new Map<string, Kept>();
  readonly #leases: Leases;
  /** Memory of every guest that is there or in the making. Its keys are the names taken. */
  readonly #memoryBytes = new Map<string, number>();
  #closed = false;

  private constructor(ports: GuestPorts) {
    this.#ports = ports;
    this.#leases = new Leases(ports.clock);
    this.snapshots = new Snapshots(ports);
    this.#making = {
      ports,
      snapshots: this.snapshots,
      reserve: (id, bytes) => this.#reserve(id, bytes),
    };
  }

  /**
   * Opens the guests of a daemon. Those of an earlier process did not outlive it: they are shown
   * as dead, with the reason `host_restart` where they had none of their own.
   *
   * @throws {Fault} `state-unavailable`
   */
  static async open(ports: GuestPorts): Promise<Guests> {
    const guests = new Guests(ports);
    const entries = await ports.ledger.load("guest");
    const lost = entries.map(({ id, body }) => ({ id, record: body as GuestRecord }));
    const fresh = lost.filter(({ record }) => record.death === undefined);
    await commit(
      ports.ledger,
      fresh.map(({ id, record }) => guestEntry(id, { ...record, death: HOST_RESTART })),
    );
    for (const { id, record } of lost) guests.#addLost(id, record);
    for (const { id } of fresh) {
      const { errno, reason } = HOST_RESTART;
      ports.events.emit({ kind: "guest.dead", subject: id, reason, data: { errno } });
    }
    return guests;
  }

  /** A fresh id for a guest that has no name. */
  newId(): string {
    return `guest-${this.#ports.random.bytes(ID_BYTES).toHex()}`;
  }

  /**
   * Makes a guest, ready to run (seed 003, initialize()).
   *
   * @param identity Generation, epoch and unique of its scope, in the guest's data page before
   * its first instruction
   * @throws {Fault} `already-initialized`, `guests-exhausted`, `memory-exhausted`,
   * `value-not-allowed`, `address-out-of-range`, `snapshot-not-found`, `snapshot-damaged`,
   * `snapshot-version`, `engine-unavailable`, `state-unavailable`. Then no guest is left over
   */
  async create(spec: GuestSpec, identity: GuestIdentity): Promise<CreatedGuest> {
    const machine = new LinuxMachine(spec.machine ?? NO_DEVICES);
    try {
      return await this.#create(spec, identity, machine);
    } catch (error) {
      machine.close();
      throw error;
    }
  }

  async #create(
    spec: GuestSpec,
    identity: GuestIdentity,
    machine: LinuxMachine,
  ): Promise<CreatedGuest> {
    if ("program" in spec.from) checkProgram(spec.from.program);
    if ("linux" in spec.from) checkLinux(spec.from.linux);
    this.requireFree(spec.id);
    if (this.#memoryBytes.size >= GUESTS_MAX) {
      throw new Fault("guests-exhausted", `Cannot make a guest: there are ${GUESTS_MAX} already`);
    }
    this.#memoryBytes.set(spec.id, 0);
    let made: Made | undefined;
    try {
      made = await makeGuest(spec, identity, machine, this.#making);
      return await this.#add(spec, identity, made);
    } catch (error) {
      made?.engine.close();
      this.#memoryBytes.delete(spec.id);
      throw error;
    }
  }

  /** @throws {Fault} `already-initialized` when a guest has this id; a dead one has it too */
  requireFree(id: string): void {
    if (this.#memoryBytes.has(id)) {
      throw new Fault("already-initialized", `Cannot make guest "${id}": it exists already`);
    }
    this.#requireOpen();
  }

  #reserve(id: string, bytes: number): void {
    const taken = this.memoryBytes;
    if (taken + bytes > GUEST_BYTES_TOTAL_MAX) {
      throw new Fault(
        "memory-exhausted",
        `Cannot make guest "${id}" of ${bytes} bytes: ${taken} of ${GUEST_BYTES_TOTAL_MAX} are ` +
          "in use; delete a guest",
      );
    }
    this.#memoryBytes.set(id, bytes);
  }

  async #add(
    spec: GuestSpec,
    identity: GuestIdentity,
    { kind, engine, machine }: Made,
  ): Promise<CreatedGuest> {
    this.#requireOpen();
    const { ledger, clock, random, events } = this.#ports;
    const { id, scope, leaseMs } = spec;
    const memoryBytes = this.#memoryBytes.get(id) ?? 0;
    const createdNs = clock.wallNs();
    const record: GuestRecord = {
      kind,
      scope,
      generation: identity.generation,
      engine: engine.name,
      memoryBytes,
      createdNs: String(createdNs),
      leaseMs,
    };
    await commit(ledger, [guestEntry(id, record)]);
    if (this.#closed) {
      await commit(ledger, [guestGone(id)]);
      this.#requireOpen();
    }
    const ownerToken = mintOwnerToken(random);
    const parts = { id, kind, scope, memoryBytes, createdNs, identity, ownerToken };
    const guest = new Guest({ ...parts, engine, machine, clock, events });
    const kept = { guest, record, leaving: false };
    this.#startLease(id, leaseMs);
    this.#kept.set(id, kept);
    guest.onEnd(() => this.#onEnd(kept));
    const data = { kind, scope, engine: engine.name, memoryBytes, generation: identity.generation };
    events.emit({ kind: "guest.created", subject: id, data });
    return { guest, ownerToken };
  }

  #addLost(id: string, record: GuestRecord): void {
    const { kind = "bare", scope, generation, memoryBytes, createdNs, leaseMs } = record;
    const { death = HOST_RESTART } = record;
    const { clock, events } = this.#ports;
    const guest = new Guest({
      id,
      kind,
      scope,
      memoryBytes,
      createdNs: BigInt(createdNs),
      identity: { generation, epoch: 0n, unique: "" },
      ownerToken: undefined,
      death,
      engine: goneEngine(record.engine),
      clock,
      events,
    });
    this.#memoryBytes.set(id, 0);
    this.#startLease(id, leaseMs);
    this.#kept.set(id, { guest, record, leaving: false });
  }

  /** A lease stands for the launcher's open file (seed 003, close()). */
  #startLease(id: string, leaseMs: number | undefined): void {
    if (leaseMs !== undefined) this.#leases.start(id, leaseMs, () => void this.#lose(id));
  }

  /** What a guest that is dead leaves: its reason, and no memory. */
  #onEnd({ guest, record, leaving }: Kept): void {
    if (leaving) return;
    this.#memoryBytes.set(guest.id, 0);
    const entry = guestEntry(guest.id, { ...record, death: guest.death as GuestDeath });
    // When it is not kept, the next process says host_restart instead.
    commit(this.#ports.ledger, [entry]).catch(() => {});
  }

  #requireOpen(): void {
    if (!this.#closed) return;
    throw new Fault("shutting-down", "Cannot make a guest: the daemon is stopping");
  }

  /** @throws {Fault} `guest-not-found` */
  get(id: string): Guest {
    const guest = this.#kept.get(id)?.guest;
    if (guest !== undefined) return guest;
    throw new Fault("guest-not-found", `Cannot find guest "${id.slice(0, 80)}": it does not exist`);
  }

  /**
   * A guest, for its owner only.
   *
   * @throws {Fault} `guest-not-found`, `not-owner`
   */
  owned(id: string, token: string | undefined): Guest {
    const guest = this.get(id);
    guest.requireOwner(token);
    return guest;
  }

  /**
   * A request about a guest begins: while it lasts, its owner's lease does not run out.
   *
   * @param token What the request gave as its owner's token
   * @returns What to call when the request has ended
   */
  hold(id: string, token: string | undefined): () => void {
    const kept = this.#kept.get(id);
    return kept?.guest.isOwner(token) === true ? this.#leases.hold(id) : () => {};
  }

  /**
   * Gives a guest another owner, for when its token was lost.
   *
   * @returns The new owner's token, which is told only here
   * @throws {Fault} `guest-not-found`, `guest-dead`
   */
  newOwner(id: string): string {
    const guest = this.get(id);
    guest.requireAlive();
    const token = mintOwnerToken(this.#ports.random);
    guest.setOwner(token);
    this.#leases.hold(id)();
    return token;
  }

  /** All guests in ascending order of their ids. */
  list(): Guest[] {
    return [...this.#kept.values()].map(({ guest }) => guest).sort((a, b) => a.id < b.id ? -1 : 1);
  }

  /** Memory of all guests, in bytes, those in the making included. */
  get memoryBytes(): number {
    return this.#memoryBytes.values().reduce((sum, bytes) => sum + bytes, 0);
  }

  /**
   * Snapshots a paused guest.
   *
   * @throws {Fault} `guest-not-found`, `not-owner`, `guest-dead`, `wrong-state`,
   * `snapshots-exhausted`, `state-unavailable`
   */
  async snapshot(id: string, token: string | undefined): Promise<SnapshotInfo> {
    const guest = this.owned(id, token);
    return await this.snapshots.take(async () => {
      const captured = await guest.capture();
      // After it: a generation that the image may already show is not to be given to a clone.
      const { scope, identity: { generation } } = guest;
      return { subject: { guest: id, scope, generation }, ...captured };
    });
  }

  /**
   * Ends a guest and frees what it had; a run in progress is told that it is dead. As the seed's
   * close() never fails, an id that does not exist is no error.
   *
   * @param by Its owner's token, or `force` to do without
   * @throws {Fault} `not-owner`; `state-unavailable`, and then it is still there
   */
  async delete(
    id: string,
    by: { readonly ownerToken: string | undefined; readonly force: boolean },
  ): Promise<void> {
    const kept = this.#kept.get(id);
    if (kept === undefined) return;
    if (!by.force) kept.guest.requireOwner(by.ownerToken);
    kept.leaving = true;
    try {
      await commit(this.#ports.ledger, [guestGone(id)]);
    } catch (fault) {
      kept.leaving = false;
      throw fault;
    }
    if (this.#remove(kept)) this.#tellGone("deleted", id);
  }

  async #lose(id: string): Promise<void> {
    const kept = this.#kept.get(id);
    if (kept === undefined || !this.#remove(kept)) return;
    this.#tellGone("owner-lost", id);
    this.#tellGone("deleted", id);
    // When it cannot be forgotten, the next process shows it as lost until its lease ends there.
    await commit(this.#ports.ledger, [guestGone(id)]).catch(() => {});
  }

  #tellGone(what: "deleted" | "owner-lost", id: string): void {
    this.#ports.events.emit({ kind: `guest.${what}`, subject: id, data: {} });
  }

  /** Whether it was still there. */
  #remove(kept: Kept): boolean {
    const { guest } = kept;
    if (this.#kept.get(guest.id) !== kept) return false;
    kept.leaving = true;
    this.#kept.delete(guest.id);
    this.#memoryBytes.delete(guest.id);
    this.#leases.end(guest.id);
    guest.dismiss();
    return true;
  }

  /**
   * Ends all guests. Those in the making end when they are made. What is kept of them stays: the
   * next process shows them as lost.
   */
  close(): void {
    this.#closed = true;
    for (const kept of [...this.#kept.values()]) this.#remove(kept);
  }
}

function mintOwnerToken(random: Random): string {
  return random.bytes(OWNER_TOKEN_BYTES).toHex();
}
