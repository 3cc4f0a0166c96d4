import { Fault, type FaultCode } from "../../core/faults.ts";
import { SNAPSHOTS_MAX } from "../../core/limits.ts";
import type { Clock } from "../../core/ports/clock.ts";
import type { EventSink } from "../../core/ports/events.ts";
import type { Random } from "../../core/ports/random.ts";
import type { SnapshotStore } from "../../core/ports/snapshot_store.ts";
import { Serial } from "../../core/serial.ts";
import {
  encodeSnapshot,
  type SavedGuest,
  type SnapshotHead,
  type SnapshotSubject,
  StoredSnapshot,
} from "./snapshot.ts";
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
  readonly subject: Omit<SnapshotSubject, "createdNs">;
}

/** The snapshots of a daemon. They are in the store; nothing of them stays in memory. */
export class Snapshots {
  readonly #ports: SnapshotPorts;
  readonly #store: SnapshotStore;
  readonly #taking = new Serial();
  #beingTaken = 0;

  constructor(ports: SnapshotPorts) {
    this.#ports = ports;
    this.#store = ports.snapshots;
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

  async #put({ subject, ...saved }: Taken): Promise<SnapshotInfo> {
    const { clock, random, events } = this.#ports;
    const { head, bytes } = await encodeSnapshot({ ...subject, createdNs: clock.wallNs() }, saved);
    const id = `snapshot-${random.bytes(ID_BYTES).toHex()}`;
    await stored(this.#store.put(id, bytes));
    const sizeBytes = bytes.length;
    events.emit({ kind: "snapshot.created", subject: id, data: { ...subject, sizeBytes } });
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

  /** @throws {Fault} `snapshot-not-found` */
  async delete(id: string): Promise<void> {
    if (!await stored(this.#store.delete(id))) throw notFound(id);
    this.#ports.events.emit({ kind: "snapshot.deleted", subject: id, data: {} });
  }
}

function notFound(id: string): Fault {
  return new Fault(
    "snapshot-not-found",
    `Cannot find snapshot "${id.slice(0, 80)}": it does not exist`,
  );
}
