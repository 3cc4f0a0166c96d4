import type { Descriptors } from "../core/descriptors.ts";
import { commit } from "../core/commit.ts";
import { Fault } from "../core/faults.ts";
import { Leases } from "../core/leases.ts";
import type { Audience, EventSink } from "../core/ports/events.ts";
import type { GuestFiles } from "../core/ports/guest_files.ts";
import type { Ledger } from "../core/ports/ledger.ts";
import type { Random } from "../core/ports/random.ts";
import type { SnapshotStore } from "../core/ports/snapshot_store.ts";
import { type CreateGuest, type EnteredScope, type MadeGuest, makeGuest } from "./create_guest.ts";
import type { EnginePorts } from "./engines.ts";
import { Guest } from "./guest/guest.ts";
import type { GuestDeath } from "./guest/state.ts";
import { GuestQuota } from "./quota.ts";
import { guestEntry, guestGone, type GuestRecord, HOST_RESTART } from "./records.ts";
import type { SnapshotHead } from "./snapshots/snapshot.ts";
import { type SnapshotInfo, Snapshots } from "./snapshots/snapshots.ts";

/** What guests need from outside. */
interface GuestPorts extends EnginePorts {
  readonly files: GuestFiles;
  readonly snapshots: SnapshotStore;
  readonly ledger: Ledger;
  readonly events: EventSink;
  readonly random: Random;
  /** What guests may take of the process's file descriptors; no bound without it. */
  readonly descriptors?: Descriptors;
}

/**
 * Enters the scope of a guest that is being made. It is called once everything that the guest
 * begins from was read and opened.
 *
 * @param original What the snapshot of a clone says of itself
 */
type EnterScope = (guest: string, original: SnapshotHead | undefined) => Promise<EnteredScope>;

/** A guest that was made, and the token of its owner, which is shown only here. */
export interface CreatedGuest {
  readonly guest: Guest;
  readonly ownerToken: string;
}

const OWNER_TOKEN_BYTES = 32;
const ID_BYTES = 8;

/** A guest with its row in the ledger. */
interface Entry {
  readonly guest: Guest;
  readonly record: GuestRecord;
  /** Set when it is being removed, so that its end is not written to the ledger any more. */
  leaving: boolean;
}

/** The guests of a daemon. */
export class Guests {
  readonly snapshots: Snapshots;
  readonly #ports: GuestPorts;
  readonly #entries = new Map<string, Entry>();
  readonly #leases: Leases;
  readonly #quota: GuestQuota;
  #closed = false;

  private constructor(ports: GuestPorts, snapshots: Snapshots) {
    this.#ports = ports;
    this.#quota = new GuestQuota(ports.descriptors);
    this.#leases = new Leases(ports.clock);
    this.snapshots = snapshots;
  }

  /**
   * Opens the guests of a daemon. Guests do not outlive their process, so those in the ledger are
   * shown as dead, with the reason `host_restart` unless they were dead before.
   *
   * @throws {Fault} `state-unavailable`
   */
  static async open(ports: GuestPorts): Promise<Guests> {
    const guests = new Guests(ports, await Snapshots.load(ports));
    const rows = await ports.ledger.load("guest");
    const lost = rows.map(({ id, body }) => ({ id, record: body as GuestRecord }));
    const fresh = lost.filter(({ record }) => record.death === undefined);
    await commit(
      ports.ledger,
      fresh.map(({ id, record }) => guestEntry(id, { ...record, death: HOST_RESTART })),
    );
    for (const { id, record } of lost) guests.#addLost(id, record);
    for (const { id } of fresh) {
      const { errno, reason } = HOST_RESTART;
      ports.events.emit(
        { kind: "guest.dead", subject: id, reason, data: { errno } },
        audienceOf(id),
      );
    }
    return guests;
  }

  /**
   * Makes a guest, ready to run. What it is shown of its scope is in place before its first
   * instruction.
   *
   * @throws {Fault} `already-initialized`, `guests-exhausted`, `memory-exhausted`,
   * `value-not-allowed`, `address-out-of-range`, `snapshot-not-found`, `snapshot-damaged`,
   * `snapshot-version`, `engine-unavailable`, `state-unavailable`, and as {@linkcode GuestFiles}
   * and `enterScope`. Then nothing of the guest is left
   */
  async create(command: CreateGuest, enterScope: EnterScope): Promise<CreatedGuest> {
    this.#requireOpen();
    const id = command.name ?? this.newId();
    this.#quota.take(id);
    using undo = new DisposableStack();
    undo.defer(() => this.#quota.release(id));
    const made = await makeGuest(id, command, {
      ...this.#ports,
      snapshots: this.snapshots,
      reserve: (bytes) => this.#quota.reserve(id, bytes),
      enterScope: (original) => enterScope(id, original),
      undo,
    });
    const created = await this.#add(id, command.leaseMs, made);
    undo.move();
    return created;
  }

  /** An id for a guest that was given none. */
  newId(): string {
    return `guest-${this.#ports.random.bytes(ID_BYTES).toHex()}`;
  }

  async #add(id: string, leaseMs: number | undefined, made: MadeGuest): Promise<CreatedGuest> {
    this.#requireOpen();
    const { ledger, clock, random, events } = this.#ports;
    const { scope, memoryBytes, identity: { generation }, engine, machine } = made;
    const kind = machine === undefined ? "bare" : "linux";
    const createdNs = clock.wallNs();
    const shown = { kind, scope, generation, engine: engine.name, memoryBytes } as const;
    const record = { ...shown, createdNs: String(createdNs), leaseMs };
    await commit(ledger, [guestEntry(id, record)]);
    if (this.#closed) {
      await commit(ledger, [guestGone(id)]);
      this.#requireOpen();
    }
    const ownerToken = mintOwnerToken(random);
    const parts = { id, kind, createdNs, ownerToken, clock, events } as const;
    const guest = new Guest({ ...parts, ...made });
    const entry = this.#enter(guest, record);
    guest.onEnd(() => this.#onEnd(entry));
    events.emit({ kind: "guest.created", subject: id, data: shown }, audienceOf(id));
    return { guest, ownerToken };
  }

  #addLost(id: string, record: GuestRecord): void {
    const { kind = "bare", scope, generation, memoryBytes, engine, death = HOST_RESTART } = record;
    const { clock, events } = this.#ports;
    this.#quota.releaseMemory(id);
    const guest = new Guest({
      ...{ id, kind, scope, memoryBytes, clock, events },
      createdNs: BigInt(record.createdNs),
      identity: { generation, epoch: 0n, unique: "" },
      ownerToken: undefined,
      engine: { name: engine, death },
    });
    this.#enter(guest, record);
  }

  /** Adds a guest. Its lease, if it has one, stands for lguest's open file (docs/guests.md#owner). */
  #enter(guest: Guest, record: GuestRecord): Entry {
    const { id } = guest;
    const { leaseMs } = record;
    if (leaseMs !== undefined) this.#leases.start(id, leaseMs, () => void this.#lose(id));
    const entry = { guest, record, leaving: false };
    this.#entries.set(id, entry);
    return entry;
  }

  /** Writes down why a guest is dead, and gives its memory back. */
  #onEnd({ guest, record, leaving }: Entry): void {
    if (leaving) return;
    this.#quota.releaseMemory(guest.id);
    const row = guestEntry(guest.id, { ...record, death: guest.death as GuestDeath });
    // If this fails, the next process gives host_restart as the reason.
    commit(this.#ports.ledger, [row]).catch(() => {});
  }

  #requireOpen(): void {
    if (!this.#closed) return;
    throw new Fault("shutting-down", "Cannot make a guest: the daemon is stopping");
  }

  /** @throws {Fault} `guest-not-found` */
  get(id: string): Guest {
    const guest = this.#entries.get(id)?.guest;
    if (guest !== undefined) return guest;
    throw new Fault("guest-not-found", `Cannot find guest "${id.slice(0, 80)}": it does not exist`);
  }

  /**
   * A guest, for its owner only.
   *
   * @param force Do without the owner, as admins may where that is said
   * @throws {Fault} `guest-not-found`, `not-owner`
   */
  owned(id: string, token: string | undefined, force = false): Guest {
    const guest = this.get(id);
    if (!force) guest.owner.require(token);
    return guest;
  }

  /**
   * Holds the lease of a guest's owner while a request of that owner lasts.
   *
   * @param token The owner's token in the request
   * @returns What to call when the request has ended
   */
  hold(id: string, token: string | undefined): () => void {
    const isOwner = this.#entries.get(id)?.guest.owner.matches(token) === true;
    return isOwner ? this.#leases.hold(id) : () => {};
  }

  /**
   * Gives a guest another owner, for when its token was lost.
   *
   * @returns The new owner's token, which is shown only here; the one before is worth nothing now,
   * for the snapshots of the guest either
   * @throws {Fault} `guest-not-found`, `guest-dead`, `state-unavailable`
   */
  async changeOwner(id: string): Promise<string> {
    const { owner } = this.get(id);
    this.get(id).requireAlive();
    const token = mintOwnerToken(this.#ports.random);
    if (owner.token !== undefined) await this.snapshots.changeOwner(owner.token, token);
    return this.newOwner(id, token);
  }

  /**
   * As {@linkcode changeOwner}, for a guest that has no snapshots.
   *
   * @throws {Fault} `guest-not-found`, `guest-dead`
   */
  newOwner(id: string, token: string = mintOwnerToken(this.#ports.random)): string {
    const guest = this.get(id);
    guest.requireAlive();
    guest.owner.change(token);
    this.#emit("owner-changed", id);
    this.#leases.hold(id)();
    return token;
  }

  /** All guests in ascending order of their ids. */
  list(): Guest[] {
    return [...this.#entries.values()].map(({ guest }) => guest)
      .sort((a, b) => a.id < b.id ? -1 : 1);
  }

  /** Memory of all guests, in bytes, those that are being made included. */
  get memoryBytes(): number {
    return this.#quota.bytes;
  }

  /**
   * Snapshots a paused guest.
   *
   * @param scopeOptions Options of the guest's scope, for the scopes of its clones
   * @throws {Fault} `guest-not-found`, `not-owner`, `guest-dead`, `wrong-state`,
   * `snapshots-exhausted`, `state-unavailable`
   */
  async snapshot(
    id: string,
    token: string | undefined,
    scopeOptions?: unknown,
  ): Promise<SnapshotInfo> {
    const guest = this.owned(id, token);
    return await this.snapshots.take(async () => {
      const captured = await guest.capture();
      // Read after the capture: the image may already contain this generation, and a clone must
      // get a newer one.
      const { scope, identity: { generation } } = guest;
      const options = scopeOptions === undefined ? {} : { scopeOptions };
      const { token: ownerToken } = guest.owner;
      return { subject: { guest: id, scope, generation, ...options }, ownerToken, ...captured };
    });
  }

  /**
   * Ends a guest and frees what it had. A run in progress rejects with `guest-dead`. An id that does
   * not exist is no error, because lguest's close() never fails.
   *
   * @param by Its owner's token, or `force` to do without
   * @throws {Fault} `not-owner`; `state-unavailable`, and then the guest is still there
   */
  async delete(
    id: string,
    by: { readonly ownerToken: string | undefined; readonly force: boolean },
  ): Promise<void> {
    const entry = this.#entries.get(id);
    if (entry === undefined) return;
    if (!by.force) entry.guest.owner.require(by.ownerToken);
    entry.leaving = true;
    try {
      await commit(this.#ports.ledger, [guestGone(id)]);
    } catch (fault) {
      entry.leaving = false;
      throw fault;
    }
    if (this.#remove(entry)) this.#emit("deleted", id);
  }

  async #lose(id: string): Promise<void> {
    const entry = this.#entries.get(id);
    if (entry === undefined || !this.#remove(entry)) return;
    this.#emit("owner-lost", id);
    this.#emit("deleted", id);
    // If its row cannot be removed, the next process shows the guest as lost until the lease ends.
    await commit(this.#ports.ledger, [guestGone(id)]).catch(() => {});
  }

  #emit(what: "deleted" | "owner-lost" | "owner-changed", id: string): void {
    const fact = { kind: `guest.${what}`, subject: id, data: {} };
    this.#ports.events.emit(fact, audienceOf(id));
  }

  /** @returns Whether it was still there */
  #remove(entry: Entry): boolean {
    const { guest } = entry;
    if (this.#entries.get(guest.id) !== entry) return false;
    entry.leaving = true;
    this.#entries.delete(guest.id);
    this.#quota.release(guest.id);
    this.#leases.end(guest.id);
    guest.dismiss();
    return true;
  }

  /**
   * Ends all guests. Those that are being made end when they are made. Their rows in the ledger
   * stay: the next process shows them as lost.
   */
  close(): void {
    this.#closed = true;
    for (const entry of [...this.#entries.values()]) this.#remove(entry);
  }
}

/** Who may be shown what happens to a guest. */
function audienceOf(id: string): Audience {
  return { about: { kind: "guests", name: id } };
}

function mintOwnerToken(random: Random): string {
  return random.bytes(OWNER_TOKEN_BYTES).toHex();
}
