/**
 * How devices and mappings look in the ledger. One mapping is one entry, so that a change costs as
 * much as it changes.
 *
 * @module
 */
import type { KeptEntry, LedgerEntry } from "../core/ports/ledger.ts";
import { AnonymousIdentity, type AnonymousKind, SimpleDevice } from "./anonymous_device.ts";
import { anonymousId } from "./device_id.ts";
import { type Mapping, MultiDevice } from "./multi_device.ts";

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

function mappingId(deviceId: string, virtualInode: bigint): string {
  return `${deviceId}/${virtualInode}`;
}

/**
 * Makes the devices again that were kept, by id.
 *
 * @throws {Error} when the entries do not fit together
 */
export function restoreDevices(
  devices: readonly KeptEntry[],
  mappings: readonly KeptEntry[],
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
