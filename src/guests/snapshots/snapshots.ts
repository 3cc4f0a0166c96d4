import { Fault, type FaultCode } from "../../core/faults.ts";
import { SNAPSHOTS_MAX } from "../../core/limits.ts";
import type { Clock } from "../../core/ports/clock.ts";
import type { EventSink } from "../../core/ports/events.ts";
import type { Ledger } from "../../core/ports/ledger.ts";
import type { Random } from "../../core/ports/random.ts";
import type { SnapshotStore } from "../../core/ports/snapshot_store.ts";
import type { Caller, Permission, Target } from "../../core/rights.ts";
import { Serial } from "../../core/serial.ts";
import {
  encodeSnapshot,
  type SavedGuest,
  type SnapshotHead,
  type SnapshotSubject,
  StoredSnapshot,
} from "./snapshot.ts";
import { SnapshotOwners } from "./snapshot_owners.ts";
import { stored } from "./stored.ts";

/** A stored snapshot, without its memory. */
export interface SnapshotInfo extends SnapshotHead {
  readonly id: string;
  readonly sizeBytes: number;
}

/** A snapshot in a list: what it is of, or why that cannot be read. */
export type SnapshotSummary = SnapshotInfo | { readonly id: string; readonly fault: FaultCode };

/** What snapshots need from outside. */
interface SnapshotPorts {
  readonly snapshots: SnapshotStore;
  readonly events: EventSink;
  readonly clock: Clock;
  readonly random: Random;
}

const ID_BYTES = 8;

/** A guest as it is at one moment. */
interface Taken extends SavedGuest {
  /** The token of the guest's owner, if somebody owns it. */
  readonly ownerToken?: string | undefined;
  readonly subject: Omit<SnapshotSubject, "createdNs">;
}

/** Who wants to do something with a snapshot. */
export interface SnapshotCaller {
  readonly caller: Caller;
  /** The owner's token in the request. */
  readonly ownerToken: string | undefined;
}

/** The snapshots of a daemon. They are in the store; only whose they are stays in memory. */
export class Snapshots {
  readonly #ports: SnapshotPorts;
  readonly #store: SnapshotStore;
  readonly #owners: SnapshotOwners;
  readonly #taking = new Serial();
  #beingTaken = 0;

  private constructor(ports: SnapshotPorts, owners: SnapshotOwners) {
    this.#ports = ports;
    this.#store = ports.snapshots;
    this.#owners = owners;
  }

  /** Opens what is stored. */
  static async load(ports: SnapshotPorts & { readonly ledger: Ledger }): Promise<Snapshots> {
    const snapshots = new Snapshots(ports, await SnapshotOwners.open(ports.ledger));
    await snapshots.#owners.forgetOthers(await snapshots.ids());
    return snapshots;
  }

  /**
   * Stores what `capture` gives.
   *
   * @throws {Fault} `snapshots-exhausted`, `state-unavailable`, and what `capture` throws
   */
  async take(capture: () => Promise<Taken>): Promise<SnapshotInfo> {
    this.#beingTaken++;
    try {
      const { length } = await this.ids();
      if (length + this.#beingTaken > SNAPSHOTS_MAX) {
        throw new Fault(
          "snapshots-exhausted",
          `Cannot keep a snapshot: there are ${length} already; delete one`,
        );
      }
      // One at a time, because each has a guest's memory twice.
      return await this.#taking.run(async () => await this.#put(await capture()));
    } finally {
      this.#beingTaken--;
    }
  }

  async #put({ subject, ownerToken, ...saved }: Taken): Promise<SnapshotInfo> {
    const { clock, random, events } = this.#ports;
    const { head, bytes } = await encodeSnapshot({ ...subject, createdNs: clock.wallNs() }, saved);
    const id = `snapshot-${random.bytes(ID_BYTES).toHex()}`;
    // First, so that no snapshot is ever there without its owner.
    await this.#owners.add(id, subject.guest, ownerToken);
    try {
      await stored(this.#store.put(id, bytes));
    } catch (error) {
      // If this fails, the next start forgets it.
      await this.#owners.forget(id).catch(() => {});
      throw error;
    }
    const sizeBytes = bytes.length;
    events.emit({ kind: "snapshot.created", subject: id, data: { ...subject, sizeBytes } }, {
      about: guestTarget(subject.guest),
    });
    return { ...head, id, sizeBytes };
  }

  /** The ids of all, ascending. */
  async ids(): Promise<readonly string[]> {
    return await stored(this.#store.ids());
  }

  /**
   * Opens a snapshot. The caller closes it.
   *
   * @throws {Fault} `snapshot-not-found`, `snapshot-damaged`, `snapshot-version`
   */
  async open(id: string): Promise<StoredSnapshot> {
    const file = await stored(this.#store.open(id));
    if (file === undefined) throw notFound(id);
    return await StoredSnapshot.open(file);
  }

  /**
   * What a snapshot is of.
   *
   * @throws {Fault} `snapshot-not-found`, `snapshot-damaged`, `snapshot-version`
   */
  async get(id: string): Promise<SnapshotInfo> {
    using snapshot = await this.open(id);
    return { ...snapshot.head, id, sizeBytes: snapshot.sizeBytes };
  }

  /** As `get`, for a list: a damaged snapshot is shown as such, and a missing one is `undefined`. */
  async summary(id: string): Promise<SnapshotSummary | undefined> {
    try {
      return await this.get(id);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      if (error.code === "snapshot-not-found") return undefined;
      if (error.code !== "snapshot-damaged" && error.code !== "snapshot-version") throw error;
      return { id, fault: error.code };
    }
  }

  /**
   * Refuses whoever may not do this to a snapshot: it needs the permission on the guest of the
   * snapshot, and its owner's token if it has an owner and the caller is no admin. For who has not
   * the permission there is no such snapshot.
   *
   * @throws {Fault} `snapshot-not-found`, `not-owner`
   */
  async require(
    id: string,
    permission: Permission,
    { caller, ownerToken }: SnapshotCaller,
  ): Promise<void> {
    const guest = await this.#guestOf(id);
    // One that cannot be read is nobody's: only who may do this to all guests may do it.
    if (!caller.may(permission, guest === undefined ? undefined : guestTarget(guest))) {
      throw notFound(id);
    }
    if (caller.may("admin") || await this.#owners.matches(id, ownerToken)) return;
    throw new Fault(
      "not-owner",
      `Cannot do this to snapshot "${
        id.slice(0, 80)
      }": send the token of its guest's creation as ` +
        "Innkeeper-Owner",
    );
  }

  /** Whether {@linkcode require} lets this pass. */
  async may(id: string, permission: Permission, asker: SnapshotCaller): Promise<boolean> {
    try {
      await this.require(id, permission, asker);
      return true;
    } catch (error) {
      if (error instanceof Fault && /^(not-owner|snapshot-not-found)$/.test(error.code)) {
        return false;
      }
      throw error;
    }
  }

  /** @throws {Fault} `snapshot-not-found` */
  async #guestOf(id: string): Promise<string | undefined> {
    const known = this.#owners.guestOf(id);
    if (known !== undefined) return known;
    const summary = await this.summary(id);
    if (summary === undefined) throw notFound(id);
    return "guest" in summary ? summary.guest : undefined;
  }

  /** Gives all snapshots of one owner to another. */
  changeOwner(before: string, after: string): Promise<void> {
    return this.#owners.change(before, after);
  }

  /**
   * Deletes a snapshot.
   *
   * @throws {Fault} `snapshot-not-found`
   */
  async delete(id: string): Promise<void> {
    const guest = await this.#guestOf(id);
    if (!await stored(this.#store.delete(id))) throw notFound(id);
    // If this fails, the next start forgets it.
    await this.#owners.forget(id).catch(() => {});
    const audience = guest === undefined ? undefined : { about: guestTarget(guest) };
    this.#ports.events.emit({ kind: "snapshot.deleted", subject: id, data: {} }, audience);
  }
}

function guestTarget(name: string): Target {
  return { kind: "guests", name };
}

function notFound(id: string): Fault {
  return new Fault(
    "snapshot-not-found",
    `Cannot find snapshot "${id.slice(0, 80)}": it does not exist`,
  );
}
