import { Fault } from "../../core/faults.ts";
import { U64_MAX } from "../../core/limits.ts";
import type { AnonymousIdentity } from "./identity.ts";
import { type Draw, NumberSpace } from "./number_space.ts";

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);

/** What names a file in a device of the host (seed 000, MultiDeviceKey). */
export interface MappingKey {
  readonly device: bigint;
  /** Empty for none. */
  readonly secondaryDevice: string;
  readonly inode: bigint;
}

/** A file of some device under its number on a multi device. */
export interface Mapping {
  readonly key: MappingKey;
  readonly virtualInode: bigint;
}

/** One mapping asked for, and whether it is new. */
export interface MapItem {
  readonly mapping: Mapping;
  readonly created: boolean;
}

/** What {@linkcode MultiDevice.plan} would do. */
interface MapPlan {
  /** One for each key, in the order asked. */
  readonly items: readonly MapItem[];
  /** The new ones, by the texts of their keys, in the order of their numbers. */
  readonly created: ReadonlyMap<string, Mapping>;
  readonly draw: Draw;
}

/** What {@linkcode MultiDevice} is made from again. */
interface MultiDeviceState {
  readonly last?: bigint;
  readonly mappings?: Iterable<Mapping>;
  /** Virtual inodes above `last` that were loaded and freed. */
  readonly retired?: Iterable<bigint>;
}

/**
 * Files of many devices under one: each gets a virtual inode of its own, from 1 upward (seed 000,
 * MultiDevice). Changes are planned first and applied later, so that they can be kept in between.
 */
export class MultiDevice {
  readonly kind = "multi";
  readonly #byKey = new Map<string, Mapping>();
  readonly #byInode = new Map<NumberKey, Mapping>();
  readonly #space: NumberSpace;
  /** No virtual inode above this one was ever in use. */
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

  /** How many numbers are remembered: mappings, and loaded ones that were freed. */
  get kept(): number {
    return this.#byInode.size + this.#space.retired.size;
  }

  /** Virtual inodes above `last` that were loaded and freed. */
  get retired(): ReadonlySet<bigint> {
    return this.#space.retired;
  }

  /** The mapping of a virtual inode, `undefined` when there is none. */
  find(virtualInode: bigint): Mapping | undefined {
    return this.#byInode.get(numberKey(virtualInode));
  }

  /** The mappings of all keys when every one is known, else `undefined`. */
  known(keys: readonly MappingKey[]): readonly MapItem[] | undefined {
    const items: MapItem[] = [];
    for (const key of keys) {
      const mapping = this.#byKey.get(textOf(key));
      if (mapping === undefined) return undefined;
      items.push({ mapping, created: false });
    }
    return items;
  }

  /**
   * Finds or chooses a virtual inode for each key (seed 000, MultiDevice.Map). Numbers that
   * {@linkcode applyLoad} has reserved are stepped over.
   *
   * @throws {Fault} `inodes-exhausted` where the seed would hand out 0 or loop for ever
   */
  plan(keys: readonly MappingKey[]): MapPlan {
    const draw = this.#space.draw((number) =>
      number <= this.#highest && this.#byInode.has(numberKey(number))
    );
    const created = new Map<string, Mapping>();
    const items = keys.map((key): MapItem => {
      const text = textOf(key);
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

  /** Does what was planned. No other change may lie between the two. */
  apply(plan: MapPlan): void {
    this.#space.accept(plan.draw);
    for (const [text, mapping] of plan.created) this.#add(mapping, text);
  }

  /**
   * Whether the mapping can be loaded as it is (seed 000, MultiDevice.Load).
   *
   * @returns `false` when it is there already
   * @throws {Fault} `value-not-allowed` for 0, `mapping-conflict` when the key has another virtual
   * inode or, where the seed panics, the virtual inode another key
   */
  checkLoad({ key, virtualInode }: Mapping): boolean {
    if (virtualInode < 1n || virtualInode > this.#space.max) {
      throw new Fault(
        "value-not-allowed",
        `Cannot load ${showKey(key)}: virtual inode must be from 1 to ${this.#space.max}: ` +
          `received ${virtualInode}`,
      );
    }
    const ofKey = this.#byKey.get(textOf(key));
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

  /** Whether the number is remembered although it is free, so that loading it adds none. */
  isRetired(virtualInode: bigint): boolean {
    return this.#space.isRetired(virtualInode);
  }

  /** Loads what {@linkcode checkLoad} has found new. */
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

  /** Whether the number, once freed, must be remembered to be stepped over later. */
  isAhead(virtualInode: bigint): boolean {
    return this.#space.isAhead(virtualInode);
  }

  /** Frees a mapping that {@linkcode lookUp} has found. */
  applyFree({ key, virtualInode }: Mapping): void {
    this.#byKey.delete(textOf(key));
    this.#byInode.delete(numberKey(virtualInode));
    this.#space.giveBack(virtualInode);
  }

  /**
   * Mappings in ascending order of their virtual inodes: a copy that later changes do not reach.
   *
   * @param after Only those above this virtual inode
   * @param limit At most so many
   */
  ascending(after = 0n, limit = Infinity): Mapping[] {
    const hasFreed = this.#order.length > this.size;
    // For one page it is cheaper to step over the freed ones, unless they are the most of it.
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

  #add(mapping: Mapping, text = textOf(mapping.key)): void {
    const { virtualInode } = mapping;
    this.#byKey.set(text, mapping);
    this.#byInode.set(numberKey(virtualInode), mapping);
    if (virtualInode > this.#highest) this.#highest = virtualInode;
    if (virtualInode < (this.#order.at(-1)?.virtualInode ?? 0n)) this.#sorted = false;
    this.#order.push(mapping);
  }
}

/** A Map finds a small number much faster than a bigint, and the two are never the same key. */
type NumberKey = number | bigint;

function numberKey(number: bigint): NumberKey {
  return number <= MAX_SAFE ? Number(number) : number;
}

/** A mapping in the words of the seed's String(). */
export function showMapping({ key, virtualInode }: Mapping): string {
  return `${showKey(key)} -> ${virtualInode}`;
}

function showKey({ device, secondaryDevice, inode }: MappingKey): string {
  return `key{device: ${device}, sdevice: ${secondaryDevice}, inode: ${inode}}`;
}

/** The free text comes last, so that no two keys have one text. */
function textOf({ device, secondaryDevice, inode }: MappingKey): string {
  return `${device} ${inode} ${secondaryDevice}`;
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
