import { BLOCK_INDEX_MAX, ROOT_PORTS_MAX } from "../../core/limits.ts";
import {
  blockIndexOf,
  type HostDevice,
  isNumbered,
  isShareable,
  rootPortsOf,
} from "./host_device.ts";
import { cleanPath } from "../resolve/paths.ts";

/** The numbers that the devices of one sandbox have. */
interface SandboxNumbers {
  readonly indexes: Set<number>;
  readonly ports: Set<number>;
}

/** The members by which one device of the host is told from another. */
type DevicePlace = Pick<
  HostDevice,
  "kind" | "info" | "storage" | "vhostUser" | "rng" | "sharedFolder"
>;

/**
 * The host devices of all sandboxes, found by id, by place and by the numbers that they use. All
 * indexes are derived from the devices; nothing here is persisted.
 */
export class HostBook {
  readonly #byId = new Map<string, HostDevice>();
  readonly #byKey = new Map<string, Set<string>>();
  readonly #sandboxes = new Map<string, SandboxNumbers>();

  get size(): number {
    return this.#byId.size;
  }

  get(id: string): HostDevice | undefined {
    return this.#byId.get(id);
  }

  /** All devices, ascending by id. */
  list(): HostDevice[] {
    return [...this.#byId.values()].sort((a, b) => a.id < b.id ? -1 : 1);
  }

  /** Puts a device in. It replaces the one with its id. */
  put(device: HostDevice): void {
    this.remove(device.id);
    this.#byId.set(device.id, device);
    for (const key of keysOf(device)) {
      this.#byKey.set(key, (this.#byKey.get(key) ?? new Set()).add(device.id));
    }
    const { indexes, ports } = this.#numbersOf(device.sandbox);
    const index = blockIndexOf(device);
    if (index !== undefined) indexes.add(index);
    for (const port of rootPortsOf(device)) ports.add(port);
  }

  remove(id: string): void {
    const device = this.#byId.get(id);
    if (device === undefined) return;
    this.#byId.delete(id);
    for (const key of keysOf(device)) {
      const ids = this.#byKey.get(key);
      ids?.delete(id);
      if (ids?.size === 0) this.#byKey.delete(key);
    }
    const { indexes, ports } = this.#numbersOf(device.sandbox);
    const index = blockIndexOf(device);
    if (index !== undefined) indexes.delete(index);
    for (const port of rootPortsOf(device)) ports.delete(port);
    if (indexes.size + ports.size === 0) this.#sandboxes.delete(device.sandbox);
  }

  /** The device of the same kind that a sandbox has at this place. */
  known(sandbox: string, place: DevicePlace): HostDevice | undefined {
    return this.#found(ownPlacesOf(place).map((one) => knownKey(sandbox, place.kind, one)))
      .next().value;
  }

  /**
   * The device that keeps another one out of its sandbox: one of the same storage in another
   * sandbox, of whatever kind, unless both can be shared.
   */
  rivalOf(device: HostDevice): HostDevice | undefined {
    const keyOf = isShareable(device) ? aloneKey : anyKey;
    const places = placesOf(device);
    const whole = device.storage?.below ?? [];
    return this.#found([...places, ...whole, ...places.map(partOf)].map(keyOf))
      .find(({ sandbox }) => sandbox !== device.sandbox);
  }

  /** The lowest block index that is free in a sandbox, `undefined` when none is. */
  freeIndex(sandbox: string): number | undefined {
    return lowestFree(this.#sandboxes.get(sandbox)?.indexes, 1, BLOCK_INDEX_MAX)?.[0];
  }

  /** The `count` lowest root ports that are free in a sandbox, `undefined` when fewer are. */
  freePorts(sandbox: string, count: number): number[] | undefined {
    return lowestFree(this.#sandboxes.get(sandbox)?.ports, count, ROOT_PORTS_MAX - 1);
  }

  /** Whether the numbers of a device that is not in the book are free in its sandbox. */
  hasFree(device: HostDevice): boolean {
    const numbers = this.#sandboxes.get(device.sandbox);
    const index = blockIndexOf(device);
    const ports = rootPortsOf(device);
    return (index === undefined || numbers?.indexes.has(index) !== true) &&
      ports.every((port) => numbers?.ports.has(port) !== true) &&
      new Set(ports).size === ports.length;
  }

  *#found(keys: readonly string[]): Generator<HostDevice, undefined> {
    for (const key of keys) {
      for (const id of this.#byKey.get(key) ?? []) yield this.#byId.get(id) as HostDevice;
    }
  }

  #numbersOf(sandbox: string): SandboxNumbers {
    const found = this.#sandboxes.get(sandbox) ?? { indexes: new Set(), ports: new Set() };
    this.#sandboxes.set(sandbox, found);
    return found;
  }
}

const knownKey = (sandbox: string, kind: string, place: string): string =>
  `known ${sandbox} ${kind} ${place}`;
const anyKey = (place: string): string => `any ${place}`;
const aloneKey = (place: string): string => `alone ${place}`;

/**
 * The lookup keys of a device. A place can be shared by thousands of sandboxes, so a lookup must
 * not scan them.
 */
function keysOf(device: HostDevice): string[] {
  const { sandbox, kind, storage } = device;
  const isAlone = !isShareable(device);
  return [
    ...ownPlacesOf(device).map((place) => knownKey(sandbox, kind, place)),
    ...[...placesOf(device), ...(storage?.below ?? []).map(partOf)]
      .flatMap((place) => [anyKey(place), ...(isAlone ? [aloneKey(place)] : [])]),
  ];
}

/** Where those are found that are only a part of this place. */
const partOf = (place: string): string => `part of ${place}`;

/** All names of just this device's place: also the other names of its storage. */
function placesOf(device: DevicePlace): string[] {
  return [...new Set([...ownPlacesOf(device), ...(device.storage?.self ?? [])])];
}

/**
 * By what a sandbox knows a device again: its path, what is at the path, and its numbers where these
 * identify it. 0:0 does not, and sockets and files have no numbers.
 */
function ownPlacesOf(device: DevicePlace): string[] {
  const { info, storage } = device;
  const places = [`path ${cleanPath(info.hostPath)}`, ...(storage?.self.slice(0, 1) ?? [])];
  if (isNumbered(device)) {
    places.push(`${info.type === "b" ? "block" : "char"} ${info.major}:${info.minor}`);
  }
  return places;
}

function lowestFree(
  used: ReadonlySet<number> | undefined,
  count: number,
  max: number,
): number[] | undefined {
  const free: number[] = [];
  for (let number = 0; free.length < count; number++) {
    if (number > max) return undefined;
    if (used?.has(number) !== true) free.push(number);
  }
  return free;
}
