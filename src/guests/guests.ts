import type { GuestIdentity } from "../core/abi/data_page.ts";
import { Fault } from "../core/faults.ts";
import {
  GUEST_BYTES_TOTAL_MAX,
  GUEST_LOADS_MAX,
  GUEST_PAGES_MAX,
  GUESTS_MAX,
  PAGE_BYTES,
} from "../core/limits.ts";
import type { Clock } from "../core/ports/clock.ts";
import type { GuestEngine } from "../core/ports/guest_engine.ts";
import type { Random } from "../core/ports/random.ts";
import type { SnapshotStore } from "../core/ports/snapshot_store.ts";
import { SystemError } from "../core/system_error.ts";
import { Guest, requireWithin } from "./guest.ts";
import { type SnapshotInfo, Snapshots } from "./snapshots.ts";

/** An engine by name. `auto` is the one that is always there. */
export type EngineName = "auto" | "v86" | "kvm";

/** What guests need from outside. */
export interface GuestPorts {
  /** Makes a guest's engine; an engine that is missing here is not available on this host. */
  readonly engines: Readonly<Partial<Record<Exclude<EngineName, "auto">, () => GuestEngine>>>;
  readonly snapshots: SnapshotStore;
  readonly clock: Clock;
  readonly random: Random;
}

/** A program of the guest ABI (seed 003, initialize()). */
export interface Program {
  /** How many pages of memory it has. */
  readonly pfnLimit: number;
  /** Address of the first instruction. */
  readonly start: bigint;
  readonly load: readonly { readonly at: bigint; readonly bytes: Uint8Array }[];
}

/** A guest to make. */
export interface GuestSpec {
  /** A name that is free, or one of {@linkcode Guests.newId}. */
  readonly id: string;
  /** The scope whose generation the guest shows. */
  readonly scope: string;
  readonly engine: EngineName;
  /** What it begins from: a program, or a snapshot by its id. */
  readonly from: { readonly program: Program } | { readonly snapshot: string };
}

/** A guest that was made, and the token of its owner, which is told only here. */
export interface CreatedGuest {
  readonly guest: Guest;
  readonly ownerToken: string;
}

const OWNER_TOKEN_BYTES = 32;
const ID_BYTES = 8;

/** The guests of a daemon. */
export class Guests {
  readonly snapshots: Snapshots;
  readonly #ports: GuestPorts;
  readonly #guests = new Map<string, Guest>();
  /** Memory of every guest that is there or in the making. Its keys are the names taken. */
  readonly #memoryBytes = new Map<string, number>();
  #closed = false;

  constructor(ports: GuestPorts) {
    this.#ports = ports;
    this.snapshots = new Snapshots(ports.snapshots, ports.clock, ports.random);
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
   * `snapshot-version`, `engine-unavailable`. Then no guest is left over
   */
  async create(spec: GuestSpec, identity: GuestIdentity): Promise<CreatedGuest> {
    if ("program" in spec.from) checkProgram(spec.from.program);
    this.requireFree(spec.id);
    if (this.#memoryBytes.size >= GUESTS_MAX) {
      throw new Fault("guests-exhausted", `Cannot make a guest: there are ${GUESTS_MAX} already`);
    }
    this.#memoryBytes.set(spec.id, 0);
    let engine: GuestEngine | undefined;
    try {
      if ("program" in spec.from) {
        engine = await this.#start(spec.id, spec.engine, spec.from.program, identity);
      } else engine = await this.#clone(spec, spec.from.snapshot, identity);
      return this.#add(spec, identity, engine);
    } catch (error) {
      engine?.close();
      this.#memoryBytes.delete(spec.id);
      throw error;
    }
  }

  /** @throws {Fault} `already-initialized` when a guest has this id; a dead one has it too */
  requireFree(id: string): void {
    if (this.#memoryBytes.has(id)) {
      throw new Fault("already-initialized", `Cannot make guest "${id}": it exists already`);
    }
    if (this.#closed) {
      throw new Fault("shutting-down", "Cannot make a guest: the daemon is stopping");
    }
  }

  async #start(
    id: string,
    engineName: EngineName,
    { pfnLimit, start, load }: Program,
    identity: GuestIdentity,
  ): Promise<GuestEngine> {
    const memoryBytes = pfnLimit * PAGE_BYTES;
    this.#reserve(id, memoryBytes);
    return await this.#engine(engineName, (engine) =>
      engine.initialize({
        memoryBytes,
        start: Number(start),
        load: load.map(({ at, bytes }) => ({ at: Number(at), bytes })),
        identity,
      }));
  }

  async #clone(spec: GuestSpec, snapshot: string, identity: GuestIdentity): Promise<GuestEngine> {
    const { memoryBytes, engine } = await this.snapshots.get(snapshot);
    if (spec.engine !== "auto" && spec.engine !== engine) {
      throw new Fault(
        "value-not-allowed",
        `Cannot clone snapshot "${snapshot}" on ${spec.engine}: it was taken on ${engine}`,
      );
    }
    this.#reserve(spec.id, memoryBytes);
    const image = await this.snapshots.image(snapshot);
    return await this.#engine(engine as EngineName, (made) => made.restore(image, identity));
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

  async #engine(
    name: EngineName,
    prepare: (engine: GuestEngine) => Promise<void>,
  ): Promise<GuestEngine> {
    const make = this.#ports.engines[name === "auto" ? "v86" : name];
    if (make === undefined) {
      throw new Fault(
        "engine-unavailable",
        `Cannot use engine ${name}: this host does not have it`,
      );
    }
    const engine = make();
    try {
      await prepare(engine);
      return engine;
    } catch (error) {
      engine.close();
      if (!(error instanceof SystemError)) throw error;
      throw new Fault("engine-unavailable", `Cannot start engine ${name}: ${error.message}`, {
        cause: error,
      });
    }
  }

  #add(spec: GuestSpec, identity: GuestIdentity, engine: GuestEngine): CreatedGuest {
    if (this.#closed) {
      throw new Fault("shutting-down", "Cannot make a guest: the daemon is stopping");
    }
    const ownerToken = this.#ports.random.bytes(OWNER_TOKEN_BYTES).toHex();
    const { id, scope } = spec;
    const memoryBytes = this.#memoryBytes.get(id) ?? 0;
    const { clock } = this.#ports;
    const guest = new Guest({ id, scope, memoryBytes, identity, ownerToken, engine, clock });
    this.#guests.set(id, guest);
    return { guest, ownerToken };
  }

  /** @throws {Fault} `guest-not-found` */
  get(id: string): Guest {
    const guest = this.#guests.get(id);
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

  /** All guests in ascending order of their ids. */
  list(): Guest[] {
    return [...this.#guests.values()].sort((a, b) => a.id < b.id ? -1 : 1);
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
    const { scope, identity: { generation } } = guest;
    return await this.snapshots.take(
      { guest: id, scope, generation },
      () => guest.capture(),
    );
  }

  /**
   * Ends a guest and frees what it had; a run in progress is told that it is dead. As the seed's
   * close() never fails, an id that does not exist is no error.
   *
   * @param by Its owner's token, or `force` to do without
   * @throws {Fault} `not-owner`
   */
  delete(
    id: string,
    by: { readonly ownerToken: string | undefined; readonly force: boolean },
  ): void {
    const guest = this.#guests.get(id);
    if (guest === undefined) return;
    if (!by.force) guest.requireOwner(by.ownerToken);
    this.#remove(guest);
  }

  #remove(guest: Guest): void {
    this.#guests.delete(guest.id);
    this.#memoryBytes.delete(guest.id);
    guest.die({ reason: "deleted", errno: "ENOENT" });
  }

  /** Ends all guests. Those in the making end when they are made. */
  close(): void {
    this.#closed = true;
    for (const guest of [...this.#guests.values()]) this.#remove(guest);
  }
}

function checkProgram({ pfnLimit, start, load }: Program): void {
  if (!Number.isInteger(pfnLimit) || pfnLimit < 1 || pfnLimit > GUEST_PAGES_MAX) {
    throw new Fault(
      "value-not-allowed",
      `Cannot make a guest: pfnLimit must be from 1 to ${GUEST_PAGES_MAX}: received ${pfnLimit}`,
    );
  }
  if (load.length > GUEST_LOADS_MAX) {
    throw new Fault(
      "value-not-allowed",
      `Cannot make a guest: load may have ${GUEST_LOADS_MAX} pieces: received ${load.length}`,
    );
  }
  const memoryBytes = pfnLimit * PAGE_BYTES;
  requireWithin(start, 1n, memoryBytes);
  for (const { at, bytes } of load) requireWithin(at, BigInt(bytes.length), memoryBytes);
}
