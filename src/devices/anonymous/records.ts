/**
 * How devices and mappings look in the ledger. One mapping is one entry, so that a change costs as
 * much as it changes.
 *
 * @module
 */
import type { LedgerEntry, LedgerRow } from "../../core/ports/ledger.ts";
import { anonymousId, AnonymousIdentity, type AnonymousKind } from "./identity.ts";
import { type Mapping, MultiDevice } from "./multi_device.ts";
import { SimpleDevice } from "./simple_device.ts";

/** Any anonymous device. */
export type AnonymousDevice = SimpleDevice | MultiDevice;

interface DeviceBody {
  readonly kind: AnonymousKind;
  readonly minor: string;
  readonly name?: string;
  readonly last: string;
}

interface MappingBody {
  readonly device: string;
  readonly secondaryDevice: string;
  readonly inode: string;
}

/** A virtual inode that was loaded and freed, and is not to be handed out on the way up. */
interface RetiredBody {
  readonly retired: true;
}

/** The entry of a device of which `last` is the number handed out last. */
export function deviceEntry(
  kind: AnonymousKind,
  { id, minor, name }: AnonymousIdentity,
  last: bigint,
): LedgerEntry {
  const body: DeviceBody = {
    kind,
    minor: String(minor),
    ...(name === undefined ? {} : { name }),
    last: String(last),
  };
  return { kind: "device", id, body };
}

/** The entry of a mapping of this device. */
export function mappingEntry(deviceId: string, { key, virtualInode }: Mapping): LedgerEntry {
  const body: MappingBody = {
    device: String(key.device),
    secondaryDevice: key.secondaryDevice,
    inode: String(key.inode),
  };
  return { kind: "mapping", id: mappingId(deviceId, virtualInode), body };
}

/** The entry of a freed virtual inode that must be stepped over. */
export function retiredEntry(deviceId: string, virtualInode: bigint): LedgerEntry {
  const body: RetiredBody = { retired: true };
  return { kind: "mapping", id: mappingId(deviceId, virtualInode), body };
}

/** The entry that forgets a virtual inode. */
export function goneEntry(deviceId: string, virtualInode: bigint): LedgerEntry {
  return { kind: "mapping", id: mappingId(deviceId, virtualInode), body: undefined };
}

/** The entry that forgets a device. */
export function deviceGone(id: string): LedgerEntry {
  return { kind: "device", id, body: undefined };
}

/** The entries that forget everything of a device but itself. */
export function* goneEntries(device: AnonymousDevice): Iterable<LedgerEntry> {
  if (device.kind === "simple") return;
  const { id } = device.identity;
  for (const { virtualInode } of device.ascending()) yield goneEntry(id, virtualInode);
  for (const virtualInode of device.retired) yield goneEntry(id, virtualInode);
}

const MINORS_ID = "anonymous-minors";

/** The entry of the minor handed out last: its device may be deleted when the daemon starts. */
export function minorsEntry(last: bigint): LedgerEntry {
  return { kind: "counter", id: MINORS_ID, body: String(last) };
}

/** The minor handed out last, 0 for none. */
export function keptLastMinor(counters: readonly LedgerRow[]): bigint {
  return BigInt((counters.find(({ id }) => id === MINORS_ID)?.body as string | undefined) ?? 0);
}

/**
 * The entries that put these devices in place of those that are kept. What is the same in both is
 * not written again.
 */
export function stateEntries(
  devices: readonly AnonymousDevice[],
  lastMinor: bigint,
  present: ReadonlyMap<string, AnonymousDevice>,
): LedgerEntry[] {
  const entries: LedgerEntry[] = [minorsEntry(lastMinor)];
  const staying = new Set(devices.map(({ identity }) => identity.id));
  for (const [id, device] of present) {
    if (staying.has(id)) continue;
    for (const entry of goneEntries(device)) entries.push(entry);
    entries.push(deviceGone(id));
  }
  for (const device of devices) {
    const { id } = device.identity;
    entries.push(deviceEntry(device.kind, device.identity, device.last));
    pushMappings(entries, device, present.get(id));
  }
  return entries;
}

function pushMappings(
  entries: LedgerEntry[],
  device: AnonymousDevice,
  before: AnonymousDevice | undefined,
): void {
  const { id } = device.identity;
  const was = before?.kind === "multi" ? before : undefined;
  if (device.kind === "simple") {
    if (before !== undefined) { for (const entry of goneEntries(before)) entries.push(entry); }
    return;
  }
  for (const mapping of was?.ascending() ?? []) {
    const { virtualInode } = mapping;
    const stays = device.find(virtualInode) !== undefined || device.isRetired(virtualInode);
    if (!stays) entries.push(goneEntry(id, virtualInode));
  }
  for (const virtualInode of was?.retired ?? []) {
    if (device.find(virtualInode) === undefined && !device.isRetired(virtualInode)) {
      entries.push(goneEntry(id, virtualInode));
    }
  }
  for (const mapping of device.ascending()) {
    const known = was?.find(mapping.virtualInode);
    if (known === undefined || !sameKey(known.key, mapping.key)) {
      entries.push(mappingEntry(id, mapping));
    }
  }
  for (const virtualInode of device.retired) {
    if (was?.isRetired(virtualInode) !== true) entries.push(retiredEntry(id, virtualInode));
  }
}

function sameKey(a: Mapping["key"], b: Mapping["key"]): boolean {
  return a.device === b.device && a.inode === b.inode && a.secondaryDevice === b.secondaryDevice;
}

function mappingId(deviceId: string, virtualInode: bigint): string {
  return `${deviceId}/${virtualInode}`;
}

/**
 * Makes the devices again that were kept, by id.
 *
 * @throws {Error} when the entries do not fit together
 */
export function restoreDevices(
  devices: readonly LedgerRow[],
  mappings: readonly LedgerRow[],
): Map<string, AnonymousDevice> {
  const kept = new Map<string, { mappings: Mapping[]; retired: bigint[] }>();
  for (const { id, body } of mappings) {
    const [deviceId = "", inode = ""] = id.split("/");
    const ofDevice = kept.get(deviceId) ?? { mappings: [], retired: [] };
    kept.set(deviceId, ofDevice);
    const virtualInode = BigInt(inode);
    const value = body as MappingBody | RetiredBody;
    if ("retired" in value) ofDevice.retired.push(virtualInode);
    else ofDevice.mappings.push({ key: keyOf(value), virtualInode });
  }
  const restored = new Map<string, AnonymousDevice>();
  for (const { id, body } of devices) {
    const { kind, minor, name, last } = body as DeviceBody;
    const identity = new AnonymousIdentity(BigInt(minor), name);
    const state = { last: BigInt(last), ...kept.get(id) };
    kept.delete(id);
    restored.set(
      anonymousId(identity.minor),
      kind === "simple" ? new SimpleDevice(identity, state.last) : new MultiDevice(identity, state),
    );
  }
  const [orphan] = kept.keys();
  if (orphan !== undefined) {
    throw new Error(`Cannot restore the mappings of device "${orphan}": the device is not kept`);
  }
  return restored;
}

function keyOf({ device, secondaryDevice, inode }: MappingBody): Mapping["key"] {
  return { device: BigInt(device), secondaryDevice, inode: BigInt(inode) };
}
