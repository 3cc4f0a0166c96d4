import { Fault, type FaultCode } from "../../core/faults.ts";
import { SNAPSHOTS_MAX } from "../../core/limits.ts";
import type { Clock } from "../../core/ports/clock.ts";
import type { EventSink } from "../../core/ports/events.ts";
import type { GuestImage } from "../../core/ports/guest_engine.ts";
import type { Random } from "../../core/ports/random.ts";
import type { SnapshotStore } from "../../core/ports/snapshot_store.ts";
import type { MachineImage } from "../linux/machine_image.ts";
import { Serial } from "../../core/serial.ts";
import { SystemError } from "../../core/system_error.ts";
import {
  type Decoded,
  decodeHead,
  decodeSnapshot,
  encodeSnapshot,
  headBytes,
  HEADER_BYTES,
  type SnapshotHead,
  type SnapshotSubject,
} from "./snapshot.ts";

/** A snapshot that is kept. */
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

/** What a guest is made of at one moment. */
interface Taken {
  readonly subject: Omit<SnapshotSubject, "createdNs">;
  readonly image: GuestImage;
  readonly machine?: MachineImage | undefined;
}

/** The snapshots of a daemon: what is kept is in the store, nothing in memory. */
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
   * Keeps what `capture` gives.
   *
   * @throws {Fault} `snapshots-exhausted`, `state-unavailable`, and what `capture` throws
   */
  async take(
    capture: () => Promise<Taken>,
  ): Promise<SnapshotInfo> {
    this.#beingTaken++;
    try {
      const { length } = await this.ids();
      if (length + this.#beingTaken > SNAPSHOTS_MAX) {
        throw new Fault(
          "snapshots-exhausted",
          `Cannot keep a snapshot: there are ${length} already; delete one`,
        );
      }
      // One at a time: each holds a guest's memory twice.
      return await this.#taking.run(async () => await this.#keep(await capture()));
    } finally {
      this.#beingTaken--;
    }
  }

  async #keep({ subject, image, machine }: Taken): Promise<SnapshotInfo> {
    const { clock, random, events } = this.#ports;
    const whole = { ...subject, createdNs: clock.wallNs() };
    const bytes = await encodeSnapshot(whole, image, machine);
    const id = `snapshot-${random.bytes(ID_BYTES).toHex()}`;
    await stored(this.#store.put(id, bytes));
    const { guest, scope, generation } = subject;
    const sizeBytes = bytes.length;
    const data = { guest, scope, generation, sizeBytes };
    events.emit({ kind: "snapshot.created", subject: id, data });
    return { ...await decodeHead(bytes), id, sizeBytes };
  }

  /** The ids of all, ascending. */
  async ids(): Promise<readonly string[]> {
    return await stored(this.#store.ids());
  }

  /**
   * What a snapshot is of.
   *
   * @throws {Fault} `snapshot-not-found`, `snapshot-damaged`, `snapshot-version`
   */
  async get(id: string): Promise<SnapshotInfo> {
    const sizeBytes = await stored(this.#store.size(id));
    if (sizeBytes === undefined) throw notFound(id);
    const header = await this.#read(id, HEADER_BYTES);
    const head = await this.#read(id, headBytes(header));
    return { ...await decodeHead(head), id, sizeBytes };
  }

  /** As `get`, for a list: what cannot be read is shown as damaged, what is gone is left out. */
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
   * The guest in a snapshot, checked to the last byte.
   *
   * @throws {Fault} `snapshot-not-found`, `snapshot-damaged`, `snapshot-version`
   */
  async image(id: string): Promise<Decoded> {
    return await decodeSnapshot(await this.#read(id));
  }

  /** @throws {Fault} `snapshot-not-found` */
  async delete(id: string): Promise<void> {
    if (!await stored(this.#store.delete(id))) throw notFound(id);
    this.#ports.events.emit({ kind: "snapshot.deleted", subject: id, data: {} });
  }

  async #read(id: string, length?: number): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = await stored(this.#store.read(id, length));
    if (bytes === undefined) throw notFound(id);
    return bytes;
  }
}

function notFound(id: string): Fault {
  return new Fault(
    "snapshot-not-found",
    `Cannot find snapshot "${id.slice(0, 80)}": it does not exist`,
  );
}

async function stored<Answer>(call: Promise<Answer>): Promise<Answer> {
  try {
    return await call;
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
    const isFull = error.errno === "ENOSPC" || error.errno === "EDQUOT";
    throw new Fault(
      isFull ? "snapshots-exhausted" : "state-unavailable",
      `Cannot use the snapshot store: ${error.message}`,
      { cause: error },
    );
  }
}
