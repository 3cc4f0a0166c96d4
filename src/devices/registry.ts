import { Fault } from "../core/faults.ts";
import { keep } from "../core/keep.ts";
import { MAPPINGS_MAX, MINORS_MAX } from "../core/limits.ts";
import type { Ledger, LedgerEntry } from "../core/ports/ledger.ts";
import { Serial } from "../core/serial.ts";
import { AnonymousIdentity, type AnonymousKind, SimpleDevice } from "./anonymous_device.ts";
import { type MapItem, type Mapping, type MappingKey, MultiDevice } from "./multi_device.ts";
import {
  type AnonymousDevice,
  deviceEntry,
  goneEntry,
  mappingEntry,
  restoreDevices,
  retiredEntry,
} from "./records.ts";

/** What the registry needs from outside. */
export interface DeviceRegistryPorts {
  readonly ledger: Ledger;
}

/** How much the registry takes. */
export interface DeviceRegistryBounds {
  readonly minorsMax: number;
  /** Mappings of all devices together. */
  readonly mappingsMax: number;
}

/** Some mappings in ascending order, and whether more follow. */
export interface MappingPage {
  readonly items: readonly Mapping[];
  /** The virtual inode to go on after, `undefined` at the end. */
  readonly next: bigint | undefined;
}

interface Slot {
  readonly device: AnonymousDevice;
  /** One change of a device at a time: between its plan and its end lies the ledger's commit. */
  readonly changes: Serial;
}

/**
 * All anonymous devices (seed 000, Registry). Whatever is handed out was committed to the ledger
 * first; when the ledger fails the caller is told so and nothing has changed.
 */
export class DeviceRegistry {
  readonly #ledger: Ledger;
  readonly #bounds: DeviceRegistryBounds;
  readonly #slots = new Map<string, Slot>();
  readonly #creations = new Serial();
  #lastMinor = 0n;
  /** Mapping entries in the ledger, and those on the way to it. */
  #kept = 0;

  private constructor(ledger: Ledger, bounds: DeviceRegistryBounds) {
    this.#ledger = ledger;
    this.#bounds = bounds;
  }

  /**
   * The registry as the ledger has kept it.
   *
   * @throws {Fault} `state-unavailable` when the ledger cannot be read or contradicts itself
   */
  static async open(
    { ledger }: DeviceRegistryPorts,
    bounds: DeviceRegistryBounds = { minorsMax: MINORS_MAX, mappingsMax: MAPPINGS_MAX },
  ): Promise<DeviceRegistry> {
    const registry = new DeviceRegistry(ledger, bounds);
    try {
      const restored = restoreDevices(await ledger.load("device"), await ledger.load("mapping"));
      for (const device of restored.values()) registry.#add(device);
    } catch (cause) {
      throw new Fault(
        "state-unavailable",
        `Cannot open the device registry: ${(cause as Error).message}`,
        { cause },
      );
    }
    return registry;
  }

  /** How many devices there are. */
  get deviceCount(): number {
    return this.#slots.size;
  }

  /** How many mapping entries count against the bound, freed ones that are remembered included. */
  get mappingCount(): number {
    return this.#kept;
  }

  /**
   * Creates an anonymous device on the next minor (seed 000, NewAnonDevice, NewAnonMultiDevice).
   *
   * @throws {Fault} `minors-exhausted`, `state-unavailable`
   */
  create(kind: AnonymousKind, name?: string): Promise<AnonymousDevice> {
    return this.#creations.run(async () => {
      const minor = this.#lastMinor + 1n;
      if (minor > BigInt(this.#bounds.minorsMax)) {
        throw new Fault(
          "minors-exhausted",
          `Cannot create a device: all ${this.#bounds.minorsMax} minors are in use`,
        );
      }
      const identity = new AnonymousIdentity(minor, name);
      await this.#commit("create a device", [deviceEntry(kind, identity, 0n)]);
      const device = kind === "simple" ? new SimpleDevice(identity) : new MultiDevice(identity);
      this.#add(device);
      return device;
    });
  }

  /** @throws {Fault} `device-not-found` */
  get(id: string): AnonymousDevice {
    return this.#slot(id).device;
  }

  /**
   * Hands out the next inode number of a simple device.
   *
   * @throws {Fault} `device-not-found`, `wrong-device-kind`, `inodes-exhausted`,
   * `state-unavailable`
   */
  async nextInode(id: string): Promise<bigint> {
    const { device, changes } = this.#slot(id);
    if (device.kind !== "simple") throw wrongKind(id, "take an inode number of", device.kind);
    return await changes.run(async () => {
      const inode = device.next();
      await this.#commit(`take an inode number of device ${id}`, [
        deviceEntry("simple", device.identity, inode),
      ]);
      device.take(inode);
      return inode;
    });
  }

  /**
   * The virtual inodes of the keys, in their order; unknown keys get new ones, all or none.
   *
   * @throws {Fault} `device-not-found`, `wrong-device-kind`, `inodes-exhausted`,
   * `mappings-exhausted`, `state-unavailable`
   */
  async map(id: string, keys: readonly MappingKey[]): Promise<readonly MapItem[]> {
    const { device, changes } = this.#multi(id, "map keys on");
    return device.known(keys) ?? await changes.run(async () => {
      const plan = device.plan(keys);
      if (plan.created.length === 0) return plan.items;
      await this.#commit(`map keys on device ${id}`, [
        deviceEntry("multi", device.identity, plan.draw.last),
        // Before the mappings: a number just passed may be in use again among them.
        ...[...plan.draw.passed].map((inode) => goneEntry(id, inode)),
        ...plan.created.map((mapping) => mappingEntry(id, mapping)),
      ], plan.created.length);
      this.#kept -= plan.draw.passed.size;
      device.apply(plan);
      return plan.items;
    });
  }

  /**
   * Sets the virtual inode of a key, as on restore (seed 000, MultiDevice.Load).
   *
   * @returns Whether the mapping is new
   * @throws {Fault} `device-not-found`, `wrong-device-kind`, `value-not-allowed`,
   * `mapping-conflict`, `mappings-exhausted`, `state-unavailable`
   */
  async load(id: string, mapping: Mapping): Promise<boolean> {
    const { device, changes } = this.#multi(id, "load a mapping on");
    return await changes.run(async () => {
      if (!device.checkLoad(mapping)) return false;
      const growth = device.isRetired(mapping.virtualInode) ? 0 : 1;
      await this.#commit(`load a mapping on device ${id}`, [mappingEntry(id, mapping)], growth);
      device.applyLoad(mapping);
      return true;
    });
  }

  /**
   * The mapping of a virtual inode.
   *
   * @throws {Fault} `device-not-found`, `wrong-device-kind`, `mapping-not-found`
   */
  lookUp(id: string, virtualInode: bigint): Mapping {
    return this.#multi(id, "look a mapping up on").device.lookUp(virtualInode);
  }

  /**
   * Forgets a mapping. Its virtual inode is handed out again only when all others are used up.
   *
   * @throws {Fault} `device-not-found`, `wrong-device-kind`, `mapping-not-found`,
   * `state-unavailable`
   */
  async free(id: string, virtualInode: bigint): Promise<void> {
    const { device, changes } = this.#multi(id, "free a mapping of");
    await changes.run(async () => {
      const mapping = device.lookUp(virtualInode);
      const remember = device.isAhead(virtualInode);
      await this.#commit(`free a mapping of device ${id}`, [
        remember ? retiredEntry(id, virtualInode) : goneEntry(id, virtualInode),
      ]);
      if (!remember) this.#kept -= 1;
      device.applyFree(mapping);
    });
  }

  /**
   * Mappings in ascending order of their virtual inodes, all of one moment.
   *
   * @throws {Fault} `device-not-found`, `wrong-device-kind`
   */
  mappings(id: string, after = 0n, limit = Infinity): MappingPage {
    const items = this.#multi(id, "list the mappings of").device.ascending(after, limit + 1);
    const next = items.length > limit ? items[limit - 1]?.virtualInode : undefined;
    return { items: next === undefined ? items : items.slice(0, limit), next };
  }

  #add(device: AnonymousDevice): void {
    this.#slots.set(device.identity.id, { device, changes: new Serial() });
    if (device.identity.minor > this.#lastMinor) this.#lastMinor = device.identity.minor;
    if (device.kind === "multi") this.#kept += device.kept;
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

  #multi(id: string, action: string): { device: MultiDevice; changes: Serial } {
    const { device, changes } = this.#slot(id);
    if (device.kind !== "multi") throw wrongKind(id, action, device.kind);
    return { device, changes };
  }

  /** @param growth Mapping entries that this adds; they count from now on, as others commit too */
  async #commit(action: string, entries: readonly LedgerEntry[], growth = 0): Promise<void> {
    const { mappingsMax } = this.#bounds;
    if (growth > 0 && this.#kept + growth > mappingsMax) {
      throw new Fault(
        "mappings-exhausted",
        `Cannot ${action}: it adds ${growth} to ${this.#kept} mappings and ${mappingsMax} are ` +
          "allowed: free some",
      );
    }
    this.#kept += growth;
    try {
      await keep(this.#ledger, entries);
    } catch (error) {
      this.#kept -= growth;
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
