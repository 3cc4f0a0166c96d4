import { Fault } from "../../core/faults.ts";
import { commit } from "../../core/commit.ts";
import { MAPPINGS_MAX, MINORS_MAX } from "../../core/limits.ts";
import type { EventSink } from "../../core/ports/events.ts";
import type { Ledger, LedgerEntry } from "../../core/ports/ledger.ts";
import { Serial } from "../../core/serial.ts";
import { type AnonymousDevice, type AnonymousState, rebuild, stateOf } from "./anonymous_device.ts";
import { anonymousId, AnonymousIdentity, type AnonymousKind } from "./identity.ts";
import type { Mapping, MappingKey } from "./mapping.ts";
import { type MapItem, MultiDevice } from "./multi_device.ts";
import { NumberSpace } from "./number_space.ts";
import {
  deviceEntry,
  devicesOf,
  goneEntries,
  lastMinorOf,
  mappingEntry,
  minorsEntry,
  numberGone,
  retiredEntry,
  stateEntries,
} from "./records.ts";
import { SimpleDevice } from "./simple_device.ts";

/** What the anonymous devices need from outside. */
interface AnonymousDevicesPorts {
  readonly ledger: Ledger;
  readonly events: EventSink;
}

/** How much the registry may hold. */
export interface AnonymousBounds {
  readonly minorsMax: number;
  /** Mappings of all devices together. */
  readonly mappingsMax: number;
}

/** The bounds that a daemon has. */
export const ANONYMOUS_BOUNDS: AnonymousBounds = {
  minorsMax: MINORS_MAX,
  mappingsMax: MAPPINGS_MAX,
};

/** Some mappings in ascending order. */
interface MappingPage {
  readonly items: readonly Mapping[];
  /** The virtual inode after which the next page begins, `undefined` at the end. */
  readonly next: bigint | undefined;
}

interface Slot {
  device: AnonymousDevice;
  /** Runs one change of the device at a time, since the ledger's commit comes in the middle. */
  readonly changes: Serial;
}

/**
 * All anonymous devices (gVisor's Registry). Whatever is handed out was committed to the ledger
 * first. When the ledger fails, the call fails and nothing has changed (docs/devices.md#3).
 */
export class AnonymousDevices {
  readonly #ledger: Ledger;
  readonly #events: EventSink;
  readonly #bounds: AnonymousBounds;
  readonly #slots = new Map<string, Slot>();
  /** Runs one creation, deletion or restore at a time. */
  readonly #creations = new Serial();
  #minors: NumberSpace;
  /** Mapping entries that are in the ledger or on their way to it. */
  #mappingCount = 0;
  #revision = 0;

  private constructor({ ledger, events }: AnonymousDevicesPorts, bounds: AnonymousBounds) {
    this.#ledger = ledger;
    this.#events = events;
    this.#bounds = bounds;
    this.#minors = new NumberSpace(BigInt(bounds.minorsMax));
  }

  /**
   * Opens the devices that the ledger holds.
   *
   * @throws {Fault} `state-unavailable` when the ledger cannot be read or contradicts itself
   */
  static async open(
    ports: AnonymousDevicesPorts,
    bounds: AnonymousBounds = ANONYMOUS_BOUNDS,
  ): Promise<AnonymousDevices> {
    const devices = new AnonymousDevices(ports, bounds);
    const { ledger } = ports;
    try {
      const restored = devicesOf(await ledger.load("device"), await ledger.load("mapping"));
      devices.#replace(restored, lastMinorOf(await ledger.load("counter")));
    } catch (cause) {
      throw new Fault(
        "state-unavailable",
        `Cannot open the device registry: ${(cause as Error).message}`,
        { cause },
      );
    }
    return devices;
  }

  /** How many devices there are. */
  get count(): number {
    return this.#slots.size;
  }

  /** How many mapping entries count against the bound, remembered freed ones included. */
  get mappingCount(): number {
    return this.#mappingCount;
  }

  /** A number that grows with every change. */
  get revision(): number {
    return this.#revision;
  }

  /**
   * Creates an anonymous device on the next minor (gVisor's NewAnonDevice, NewAnonMultiDevice). A
   * freed minor is used again only when the others are used up.
   *
   * @throws {Fault} `minors-exhausted`, `state-unavailable`
   */
  create(kind: AnonymousKind, name?: string): Promise<AnonymousDevice> {
    return this.#creations.run(async () => {
      const draw = this.#minors.draw((minor) => this.#slots.has(anonymousId(minor)));
      const minor = draw.next();
      if (minor === undefined) {
        throw new Fault(
          "minors-exhausted",
          `Cannot create a device: all ${this.#bounds.minorsMax} minors are in use: delete one`,
        );
      }
      const identity = new AnonymousIdentity(minor, name);
      await this.#commit("create a device", [
        minorsEntry(draw.last),
        deviceEntry({ kind, identity }, 0n),
      ]);
      this.#minors.accept(draw);
      const device = kind === "simple" ? new SimpleDevice(identity) : new MultiDevice(identity);
      this.#add(device);
      const named = name === undefined ? {} : { name };
      this.#changed("device.created", identity.id, { kind, minor, ...named });
      return device;
    });
  }

  /**
   * Deletes a device with all its mappings and frees its minor.
   *
   * @throws {Fault} `device-not-found`, `state-unavailable`
   */
  delete(id: string): Promise<void> {
    return this.#creations.run(() =>
      this.#change(id, async (device) => {
        await this.#commit(`delete device ${id}`, [...goneEntries(device)]);
        this.#slots.delete(id);
        this.#minors.giveBack(device.identity.minor);
        if (device.kind === "multi") this.#mappingCount -= device.numberCount;
        this.#changed("device.deleted", id, { kind: device.kind });
      })
    );
  }

  /** Whether there is a device of this id. */
  has(id: string): boolean {
    return this.#slots.has(id);
  }

  /** @throws {Fault} `device-not-found` */
  get(id: string): AnonymousDevice {
    return this.#slot(id).device;
  }

  /** All devices, ascending by their minors. */
  list(): AnonymousDevice[] {
    return [...this.#slots.values()].map(({ device }) => device)
      .sort((a, b) => a.identity.minor < b.identity.minor ? -1 : 1);
  }

  /**
   * Hands out the next inode number of a simple device.
   *
   * @throws {Fault} `device-not-found`, `wrong-device-kind`, `inodes-exhausted`,
   * `state-unavailable`
   */
  nextInode(id: string): Promise<bigint> {
    return this.#change(id, async (device) => {
      if (device.kind !== "simple") throw wrongKind(id, "take an inode number of", device.kind);
      const inode = device.next();
      await this.#commit(`take an inode number of device ${id}`, [
        deviceEntry(device, inode),
      ]);
      device.take(inode);
      this.#changed("device.inode-taken", id, { inode });
      return inode;
    });
  }

  /**
   * Gives the virtual inodes of the keys, in their order. Either all unknown keys get new ones, or
   * the call fails and none does.
   *
   * @throws {Fault} `device-not-found`, `wrong-device-kind`, `inodes-exhausted`,
   * `mappings-exhausted`, `state-unavailable`
   */
  async map(id: string, keys: readonly MappingKey[]): Promise<readonly MapItem[]> {
    const known = this.#multi(id, "map keys on").known(keys);
    return known ?? await this.#changeMulti(id, "map keys on", async (device) => {
      const plan = device.plan(keys);
      const created = [...plan.created.values()];
      const count = created.length;
      if (count === 0) return plan.items;
      await this.#commit(`map keys on device ${id}`, [
        deviceEntry(device, plan.draw.last),
        // These come before the mappings, because a number that was passed may be used again there.
        ...[...plan.draw.passed].map((inode) => numberGone(id, inode)),
        ...created.map((mapping) => mappingEntry(id, mapping)),
      ], count);
      this.#mappingCount -= plan.draw.passed.size;
      device.apply(plan);
      const [first, last] = [created[0], created.at(-1)] as [Mapping, Mapping];
      this.#changed("mapping.created", id, {
        count,
        first: first.virtualInode,
        last: last.virtualInode,
      });
      return plan.items;
    });
  }

  /**
   * Sets the virtual inode of a key, as a restore does (gVisor's MultiDevice.Load).
   *
   * @returns Whether the mapping is new
   * @throws {Fault} `device-not-found`, `wrong-device-kind`, `value-not-allowed`,
   * `mapping-conflict`, `mappings-exhausted`, `state-unavailable`
   */
  load(id: string, mapping: Mapping): Promise<boolean> {
    return this.#changeMulti(id, "load a mapping on", async (device) => {
      if (!device.checkLoad(mapping)) return false;
      const { virtualInode } = mapping;
      const growth = device.isRetired(virtualInode) ? 0 : 1;
      await this.#commit(`load a mapping on device ${id}`, [mappingEntry(id, mapping)], growth);
      device.applyLoad(mapping);
      this.#changed("mapping.loaded", id, { virtualInode });
      return true;
    });
  }

  /**
   * Finds the mapping of a virtual inode.
   *
   * @throws {Fault} `device-not-found`, `wrong-device-kind`, `mapping-not-found`
   */
  lookUp(id: string, virtualInode: bigint): Mapping {
    return this.#multi(id, "look a mapping up on").lookUp(virtualInode);
  }

  /**
   * Frees a mapping. Its virtual inode is handed out again only when all others are used up.
   *
   * @throws {Fault} `device-not-found`, `wrong-device-kind`, `mapping-not-found`,
   * `state-unavailable`
   */
  async free(id: string, virtualInode: bigint): Promise<void> {
    await this.#changeMulti(id, "free a mapping of", async (device) => {
      const mapping = device.lookUp(virtualInode);
      const remember = device.isAhead(virtualInode);
      await this.#commit(`free a mapping of device ${id}`, [
        remember ? retiredEntry(id, virtualInode) : numberGone(id, virtualInode),
      ]);
      if (!remember) this.#mappingCount -= 1;
      device.applyFree(mapping);
      this.#changed("mapping.freed", id, { virtualInode });
    });
  }

  /**
   * Lists mappings in ascending order of their virtual inodes, all of one moment.
   *
   * @throws {Fault} `device-not-found`, `wrong-device-kind`
   */
  mappings(id: string, after = 0n, limit = Infinity): MappingPage {
    const items = this.#multi(id, "list the mappings of").ascending(after, limit + 1);
    const next = items.length > limit ? items[limit - 1]?.virtualInode : undefined;
    return { items: next === undefined ? items : items.slice(0, limit), next };
  }

  /** Everything there is at this moment. Later changes do not show in it. */
  snapshot(): AnonymousState {
    return { lastMinor: this.#minors.last, devices: this.list().map(stateOf) };
  }

  /** Runs a task while no device is created, changed or deleted. */
  exclusive<Result>(task: () => Promise<Result>): Promise<Result> {
    return this.#creations.run(async () => {
      const { promise: free, resolve } = Promise.withResolvers<void>();
      const entered = [...this.#slots.values()].map(({ changes }) =>
        new Promise<void>((enter) => {
          void changes.run(() => {
            enter();
            return free;
          });
        })
      );
      await Promise.all(entered);
      try {
        return await task();
      } finally {
        resolve();
      }
    });
  }

  /**
   * Plans to put this state in place of the present one. Only within {@linkcode exclusive}.
   *
   * @returns What the ledger must commit first, and what then puts the state in place: that cannot
   * fail and does not wait
   * @throws {Fault} `image-contradicts`, `mappings-exhausted`
   */
  planRestore(state: AnonymousState): [entries: readonly LedgerEntry[], apply: () => void] {
    const devices = rebuild(state, this.#bounds);
    const present = new Map([...this.#slots].map(([id, { device }]) => [id, device]));
    return [[...stateEntries(devices, state.lastMinor, present)], () => {
      this.#replace(devices, state.lastMinor);
      this.#revision++;
    }];
  }

  #replace(devices: Iterable<AnonymousDevice>, lastMinor: bigint): void {
    const before = new Map(this.#slots);
    this.#slots.clear();
    this.#mappingCount = 0;
    for (const device of devices) {
      const { id, minor } = device.identity;
      this.#add(device, before.get(id));
      if (minor > lastMinor) lastMinor = minor;
    }
    this.#minors = new NumberSpace(BigInt(this.#bounds.minorsMax), lastMinor);
  }

  /** @param slot The slot of a device that this one replaces; changes that wait there go on here */
  #add(device: AnonymousDevice, slot: Slot = { device, changes: new Serial() }): void {
    slot.device = device;
    this.#slots.set(device.identity.id, slot);
    if (device.kind === "multi") this.#mappingCount += device.numberCount;
  }

  #slot(id: string): Slot {
    const slot = this.#slots.get(id);
    if (slot === undefined) {
      throw new Fault(
        "device-not-found",
        `Cannot find device ${JSON.stringify(id.slice(0, 80))}: it was not created here`,
      );
    }
    return slot;
  }

  #multi(id: string, action: string): MultiDevice {
    const { device } = this.#slot(id);
    if (device.kind !== "multi") throw wrongKind(id, action, device.kind);
    return device;
  }

  /** Runs a change when its turn comes. A restore may have replaced the device by then. */
  async #change<Result>(
    id: string,
    task: (device: AnonymousDevice) => Promise<Result>,
  ): Promise<Result> {
    return await this.#slot(id).changes.run(() => task(this.#slot(id).device));
  }

  async #changeMulti<Result>(
    id: string,
    action: string,
    task: (device: MultiDevice) => Promise<Result>,
  ): Promise<Result> {
    this.#multi(id, action);
    return await this.#change(id, () => task(this.#multi(id, action)));
  }

  #changed(kind: string, subject: string, data: Readonly<Record<string, unknown>>): void {
    this.#revision++;
    this.#events.emit({ kind, subject, data });
  }

  /** @param growth Mapping entries that this adds. They count at once, as other commits run too */
  async #commit(action: string, entries: readonly LedgerEntry[], growth = 0): Promise<void> {
    const { mappingsMax } = this.#bounds;
    if (growth > 0 && this.#mappingCount + growth > mappingsMax) {
      throw new Fault(
        "mappings-exhausted",
        `Cannot ${action}: it adds ${growth} to ${this.#mappingCount} mappings and ` +
          `${mappingsMax} are allowed: free some`,
      );
    }
    this.#mappingCount += growth;
    try {
      await commit(this.#ledger, entries);
    } catch (error) {
      this.#mappingCount -= growth;
      throw error;
    }
  }
}

function wrongKind(id: string, action: string, kind: AnonymousKind): Fault {
  const other = kind === "simple" ? "multi" : "simple";
  return new Fault(
    "wrong-device-kind",
    `Cannot ${action} device ${id}: it is a ${kind} device: use a ${other} one`,
  );
}
