/**
 * Anonymous devices as the ledger holds them. One mapping is one entry, so that a change writes no
 * more than what it changes.
 *
 * @module
 */
import type { LedgerEntry, LedgerRow } from "../../core/ports/ledger.ts";
import { type AnonymousDevice, type AnonymousDeviceState, deviceOf } from "./anonymous_device.ts";
import type { AnonymousKind } from "./identity.ts";
import { isSameKey, type Mapping } from "./mapping.ts";

/** A device without its mappings; an image says the same of it. */
interface DeviceBody {
  readonly kind: AnonymousKind;
  readonly minor: string;
  readonly name: string | undefined;
  readonly last: string;
}

interface MappingBody {
  readonly device: string;
  readonly secondaryDevice: string;
  readonly inode: string;
}

/** A virtual inode that was loaded and freed, and is to be stepped over on the way up. */
interface RetiredBody {
  readonly retired: true;
}

/** A device without its mappings, as JSON can hold it. */
export function deviceBody(
  { kind, minor, name, last }: Pick<AnonymousDeviceState, "kind" | "minor" | "name" | "last">,
): DeviceBody {
  return { kind, minor: String(minor), name, last: String(last) };
}

/** The entry of a device, of which `last` is the number handed out last. */
export function deviceEntry(
  { kind, identity: { id, minor, name } }: Pick<AnonymousDevice, "kind" | "identity">,
  last: bigint,
): LedgerEntry {
  return { kind: "device", id, body: deviceBody({ kind, minor, name, last }) };
}

/** The entry that removes a device. */
function deviceGone(id: string): LedgerEntry {
  return { kind: "device", id, body: undefined };
}

function numberEntry(
  deviceId: string,
  virtualInode: bigint,
  body: MappingBody | RetiredBody | undefined,
): LedgerEntry {
  return { kind: "mapping", id: `${deviceId}/${virtualInode}`, body };
}

/** The entry of a mapping of this device. */
export function mappingEntry(deviceId: string, { key, virtualInode }: Mapping): LedgerEntry {
  const { device, secondaryDevice, inode } = key;
  return numberEntry(deviceId, virtualInode, {
    device: String(device),
    secondaryDevice,
    inode: String(inode),
  });
}

/** The entry of a freed virtual inode that must be stepped over. */
export function retiredEntry(deviceId: string, virtualInode: bigint): LedgerEntry {
  return numberEntry(deviceId, virtualInode, { retired: true });
}

/** The entry that removes a virtual inode. */
export function numberGone(deviceId: string, virtualInode: bigint): LedgerEntry {
  return numberEntry(deviceId, virtualInode, undefined);
}

/** The entries that remove a device with all its numbers. */
export function* goneEntries(device: AnonymousDevice): Iterable<LedgerEntry> {
  yield* numbersGone(device);
  yield deviceGone(device.identity.id);
}

function* numbersGone(device: AnonymousDevice): Iterable<LedgerEntry> {
  if (device.kind === "simple") return;
  for (const number of device.numbers()) yield numberGone(device.identity.id, number);
}

const MINORS_ID = "anonymous-minors";

/** The entry of the minor handed out last. Its device may be deleted by the time of a start. */
export function minorsEntry(last: bigint): LedgerEntry {
  return { kind: "counter", id: MINORS_ID, body: String(last) };
}

/** The minor handed out last, 0 for none. */
export function lastMinorOf(counters: readonly LedgerRow[]): bigint {
  return BigInt((counters.find(({ id }) => id === MINORS_ID)?.body as string | undefined) ?? 0);
}

/**
 * The entries that put these devices in place of the present ones. What is the same in both is not
 * written again.
 */
export function* stateEntries(
  devices: readonly AnonymousDevice[],
  lastMinor: bigint,
  present: ReadonlyMap<string, AnonymousDevice>,
): Iterable<LedgerEntry> {
  yield minorsEntry(lastMinor);
  const staying = new Set(devices.map(({ identity }) => identity.id));
  for (const [id, device] of present) if (!staying.has(id)) yield* goneEntries(device);
  for (const device of devices) {
    yield deviceEntry(device, device.last);
    yield* numberChanges(device, present.get(device.identity.id));
  }
}

function* numberChanges(
  device: AnonymousDevice,
  before: AnonymousDevice | undefined,
): Iterable<LedgerEntry> {
  if (device.kind === "simple") {
    if (before !== undefined) yield* numbersGone(before);
    return;
  }
  const { id } = device.identity;
  const was = before?.kind === "multi" ? before : undefined;
  for (const number of was?.numbers() ?? []) {
    if (!device.remembers(number)) yield numberGone(id, number);
  }
  for (const mapping of device.ascending()) {
    const known = was?.find(mapping.virtualInode);
    if (known === undefined || !isSameKey(known.key, mapping.key)) {
      yield mappingEntry(id, mapping);
    }
  }
  for (const number of device.retired) {
    if (was?.isRetired(number) !== true) yield retiredEntry(id, number);
  }
}

/**
 * The devices that the ledger holds.
 *
 * @throws {Error} when the rows do not fit together
 */
export function devicesOf(
  devices: readonly LedgerRow[],
  mappings: readonly LedgerRow[],
): AnonymousDevice[] {
  const numbers = new Map<string, { mappings: Mapping[]; retired: bigint[] }>();
  for (const { id, body } of mappings) {
    const [deviceId = "", number = ""] = id.split("/");
    const ofDevice = numbers.get(deviceId) ?? { mappings: [], retired: [] };
    numbers.set(deviceId, ofDevice);
    const virtualInode = BigInt(number);
    const value = body as MappingBody | RetiredBody;
    if ("retired" in value) ofDevice.retired.push(virtualInode);
    else {
      const { device, secondaryDevice, inode } = value;
      const key = { device: BigInt(device), secondaryDevice, inode: BigInt(inode) };
      ofDevice.mappings.push({ key, virtualInode });
    }
  }
  const restored = devices.map(({ id, body }) => {
    const { kind, minor, name, last } = body as DeviceBody;
    const ofDevice = numbers.get(id) ?? { mappings: [], retired: [] };
    numbers.delete(id);
    return deviceOf({ kind, minor: BigInt(minor), name, last: BigInt(last), ...ofDevice });
  });
  const [orphan] = numbers.keys();
  if (orphan !== undefined) {
    throw new Error(`Cannot restore the mappings of device "${orphan}": there is no such device`);
  }
  return restored;
}
