import { Fault } from "../../core/faults.ts";
import { U64_MAX } from "../../core/limits.ts";
import type { AnonymousIdentity } from "./identity.ts";
import { keyText, type Mapping, type MappingKey, showKey, showMapping } from "./mapping.ts";
import { type Draw, NumberSpace } from "./number_space.ts";

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);

/** The mapping of a requested key, and whether it is new. */
export interface MapItem {
  readonly mapping: Mapping;
  readonly created: boolean;
}

/** What {@linkcode MultiDevice.plan} would do. */
interface MapPlan {
  /** One for each key, in the order of the keys. */
  readonly items: readonly MapItem[];
  /** The new ones, by the texts of their keys, in the order of their numbers. */
  readonly created: ReadonlyMap<string, Mapping>;
  readonly draw: Draw;
}

/** What a {@linkcode MultiDevice} has handed out before. */
interface MultiDeviceState {
  readonly last?: bigint;
  readonly mappings?: Iterable<Mapping>;
  /** Virtual inodes above `last` that were loaded and freed. */
  readonly retired?: Iterable<bigint>;
}

/**
 * Shows files of many devices as one device: each gets a virtual inode of its own, from 1 upward
 * (gVisor's MultiDevice, docs/devices.md#2). A change is planned first and applied later, so that
 * it can be committed in between.
 */
export class MultiDevice {
  readonly kind = "multi";
  readonly #byKey = new Map<string, Mapping>();
  readonly #byInode = new Map<NumberKey, Mapping>();
  readonly #space: NumberSpace;
  /** No virtual inode above this one has been in use yet. */
  #highest = 0n;
  /** Ascending while `#sorted`; holds every mapping, and may hold freed ones. */
  #order: Mapping[] = [];
  #sorted = true;

  /** @param inodeMax The highest virtual inode */
  constructor(
    readonly identity: AnonymousIdentity,
    { last, mappings = [], retired }: MultiDeviceState = {},
    inodeMax: bigint = U64_MAX,
  ) {
    this.#space = new NumberSpace(inodeMax, last, retired);
    for (const mapping of mappings) this.#add(mapping);
  }

  /** The virtual inode that {@linkcode plan} handed out last, 0 for none. */
  get last(): bigint {
    return this.#space.last;
  }

  /** How many mappings there are. */
  get size(): number {
    return this.#byInode.size;
  }

  /** The virtual inodes that the device remembers: mapped ones, then retired ones. */
  *numbers(): Iterable<bigint> {
    for (const { virtualInode } of this.#byInode.values()) yield virtualInode;
    yield* this.#space.retired;
  }

  /** How many {@linkcode numbers} there are. */
  get numberCount(): number {
    return this.#byInode.size + this.#space.retired.size;
  }

  /** Whether a virtual inode is one of the {@linkcode numbers}. */
  remembers(virtualInode: bigint): boolean {
    return this.#byInode.has(numberKey(virtualInode)) || this.isRetired(virtualInode);
  }

  /** Virtual inodes above `last` that were loaded and freed. */
  get retired(): ReadonlySet<bigint> {
    return this.#space.retired;
  }

  /** The mapping of a virtual inode, `undefined` when there is none. */
  find(virtualInode: bigint): Mapping | undefined {
    return this.#byInode.get(numberKey(virtualInode));
  }

  /** The mappings of all keys, or `undefined` when some key has none. */
  known(keys: readonly MappingKey[]): readonly MapItem[] | undefined {
    const items: MapItem[] = [];
    for (const key of keys) {
      const mapping = this.#byKey.get(keyText(key));
      if (mapping === undefined) return undefined;
      items.push({ mapping, created: false });
    }
    return items;
  }

  /**
   * Finds or chooses a virtual inode for each key (gVisor's MultiDevice.Map). Numbers that
   * {@linkcode applyLoad} has taken are stepped over.
   *
   * @throws {Fault} `inodes-exhausted` where gVisor would hand out 0 or loop for ever
   */
  plan(keys: readonly MappingKey[]): MapPlan {
    const draw = this.#space.draw((number) =>
      number <= this.#highest && this.#byInode.has(numberKey(number))
    );
    const created = new Map<string, Mapping>();
    const items = keys.map((key): MapItem => {
      const text = keyText(key);
      const found = this.#byKey.get(text) ?? created.get(text);
      if (found !== undefined) return { mapping: found, created: false };
      const virtualInode = draw.next();
      if (virtualInode === undefined) {
        throw new Fault(
          "inodes-exhausted",
          `Cannot map ${showKey(key)} on device ${this.identity.id}: every virtual inode is in ` +
            "use: free mappings",
        );
      }
      const mapping = { key, virtualInode };
      created.set(text, mapping);
      return { mapping, created: true };
    });
    return { items, created, draw };
  }

  /** Applies a plan. No other change may come between plan and apply. */
  apply(plan: MapPlan): void {
    this.#space.accept(plan.draw);
    for (const [text, mapping] of plan.created) this.#add(mapping, text);
  }

  /**
   * Checks whether the mapping can be loaded as it is (gVisor's MultiDevice.Load).
   *
   * @returns `false` when it is there already
   * @throws {Fault} `value-not-allowed` for 0; `mapping-conflict` when the key has another virtual
   * inode, or the virtual inode another key (gVisor panics then)
   */
  checkLoad({ key, virtualInode }: Mapping): boolean {
    if (virtualInode < 1n || virtualInode > this.#space.max) {
      throw new Fault(
        "value-not-allowed",
        `Cannot load ${showKey(key)}: virtual inode must be from 1 to ${this.#space.max}: ` +
          `received ${virtualInode}`,
      );
    }
    const ofKey = this.#byKey.get(keyText(key));
    if (ofKey?.virtualInode === virtualInode) return false;
    const taken = ofKey ?? this.#byInode.get(numberKey(virtualInode));
    if (taken !== undefined) {
      throw new Fault(
        "mapping-conflict",
        `Cannot load ${showKey(key)} as ${virtualInode}: ${showMapping(taken)} exists: free it ` +
          "first",
      );
    }
    return true;
  }

  /** Whether the number is free and remembered, so that loading it adds no number. */
  isRetired(virtualInode: bigint): boolean {
    return this.#space.isRetired(virtualInode);
  }

  /** Loads a mapping that {@linkcode checkLoad} has found new. */
  applyLoad(mapping: Mapping): void {
    this.#space.take(mapping.virtualInode);
    this.#add(mapping);
  }

  /** @throws {Fault} `mapping-not-found` */
  lookUp(virtualInode: bigint): Mapping {
    const mapping = this.find(virtualInode);
    if (mapping === undefined) {
      throw new Fault(
        "mapping-not-found",
        `Cannot find virtual inode ${virtualInode} on device ${this.identity.id}: it is not mapped`,
      );
    }
    return mapping;
  }

  /** Whether the number must still be remembered once it is freed, to be stepped over later. */
  isAhead(virtualInode: bigint): boolean {
    return this.#space.isAhead(virtualInode);
  }

  /** Frees a mapping that {@linkcode lookUp} has found. */
  applyFree({ key, virtualInode }: Mapping): void {
    this.#byKey.delete(keyText(key));
    this.#byInode.delete(numberKey(virtualInode));
    this.#space.giveBack(virtualInode);
  }

  /**
   * Lists mappings in ascending order of their virtual inodes. Later changes do not show in the
   * list.
   *
   * @param after Only those above this virtual inode
   * @param limit How many at most
   */
  ascending(after = 0n, limit = Infinity): Mapping[] {
    const hasFreed = this.#order.length > this.size;
    // For one page it is cheaper to step over freed mappings, unless most of them are freed.
    if (!this.#sorted || (hasFreed && limit === Infinity) || this.#order.length > 2 * this.size) {
      this.#order = [...this.#byInode.values()].sort((a, b) =>
        a.virtualInode < b.virtualInode ? -1 : 1
      );
      this.#sorted = true;
    }
    const start = firstAbove(this.#order, after);
    if (this.#order.length === this.size) return this.#order.slice(start, start + limit);
    const items: Mapping[] = [];
    for (let at = start; at < this.#order.length && items.length < limit; at++) {
      const mapping = this.#order[at] as Mapping;
      if (this.#byInode.get(numberKey(mapping.virtualInode)) === mapping) items.push(mapping);
    }
    return items;
  }

  #add(mapping: Mapping, text = keyText(mapping.key)): void {
    const { virtualInode } = mapping;
    this.#byKey.set(text, mapping);
    this.#byInode.set(numberKey(virtualInode), mapping);
    if (virtualInode > this.#highest) this.#highest = virtualInode;
    if (virtualInode < (this.#order.at(-1)?.virtualInode ?? 0n)) this.#sorted = false;
    this.#order.push(mapping);
  }
}

/** A Map finds a number much faster than a bigint. No number and bigint are the same key. */
type NumberKey = number | bigint;

function numberKey(number: bigint): NumberKey {
  return number <= MAX_SAFE ? Number(number) : number;
}

function firstAbove(ascending: readonly Mapping[], bound: bigint): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ascending[middle] as Mapping).virtualInode <= bound) low = middle + 1;
    else high = middle;
  }
  return low;
}
