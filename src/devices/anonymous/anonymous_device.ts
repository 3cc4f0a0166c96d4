import { Fault } from "../../core/faults.ts";
import { AnonymousIdentity, type AnonymousKind } from "./identity.ts";
import type { Mapping } from "./mapping.ts";
import { MultiDevice } from "./multi_device.ts";
import { SimpleDevice } from "./simple_device.ts";

/** Any anonymous device. */
export type AnonymousDevice = SimpleDevice | MultiDevice;

/** An anonymous device as an image holds it. */
export interface AnonymousDeviceState {
  readonly kind: AnonymousKind;
  readonly minor: bigint;
  readonly name?: string | undefined;
  /** The number handed out last. */
  readonly last: bigint;
  /** Of a multi device, ascending by virtual inode. */
  readonly mappings: readonly Mapping[];
  /** Of a multi device: numbers above `last` that were loaded and freed. */
  readonly retired: readonly bigint[];
}

/** All anonymous devices as an image holds them. */
export interface AnonymousState {
  readonly lastMinor: bigint;
  readonly devices: readonly AnonymousDeviceState[];
}

/** A device's state at this moment. Later changes of the device do not show in it. */
export function stateOf(device: AnonymousDevice): AnonymousDeviceState {
  const { minor, name } = device.identity;
  const isMulti = device.kind === "multi";
  return {
    kind: device.kind,
    minor,
    ...(name === undefined ? {} : { name }),
    last: device.last,
    mappings: isMulti ? device.ascending() : [],
    retired: isMulti ? [...device.retired] : [],
  };
}

/** The device of a state that is known to be sound. */
export function deviceOf(state: AnonymousDeviceState): AnonymousDevice {
  const identity = new AnonymousIdentity(state.minor, state.name);
  return state.kind === "simple"
    ? new SimpleDevice(identity, state.last)
    : new MultiDevice(identity, state);
}

/**
 * Makes the devices of a state that came from outside.
 *
 * @throws {Fault} `image-contradicts`, `mappings-exhausted`
 */
export function rebuild(
  { lastMinor, devices }: AnonymousState,
  { minorsMax, mappingsMax }: { readonly minorsMax: number; readonly mappingsMax: number },
): AnonymousDevice[] {
  if (lastMinor > BigInt(minorsMax)) throw contradiction(`last minor ${lastMinor} is too great`);
  const minors = new Set<bigint>();
  let numbers = 0;
  return devices.map((state) => {
    const { minor, kind, mappings, retired } = state;
    if (minor < 1n || minor > lastMinor) throw contradiction(`minor ${minor} was not handed out`);
    if (minors.has(minor)) throw contradiction(`minor ${minor} comes twice`);
    minors.add(minor);
    const count = mappings.length + retired.length;
    numbers += count;
    if (numbers > mappingsMax) {
      throw new Fault(
        "mappings-exhausted",
        `Cannot restore the image: it has more than ${mappingsMax} mappings`,
      );
    }
    if (kind === "multi") return rebuildMulti(state);
    if (count > 0) throw contradiction(`simple device ${minor} has mappings`);
    return deviceOf(state);
  });
}

function rebuildMulti({ minor, name, last, mappings, retired }: AnonymousDeviceState): MultiDevice {
  const stray = retired.find((inode) => inode <= last);
  if (stray !== undefined) throw contradiction(`retired inode ${stray} is not above ${last}`);
  const device = new MultiDevice(new AnonymousIdentity(minor, name), { last, retired });
  for (const mapping of mappings) {
    const { virtualInode } = mapping;
    try {
      if (device.checkLoad(mapping) && !device.isRetired(virtualInode)) {
        device.applyLoad(mapping);
        continue;
      }
    } catch (cause) {
      throw contradiction((cause as Error).message);
    }
    throw contradiction(`virtual inode ${virtualInode} of device ${minor} comes twice`);
  }
  return device;
}

function contradiction(what: string): Fault {
  return new Fault("image-contradicts", `Cannot restore the image: ${what}`);
}
