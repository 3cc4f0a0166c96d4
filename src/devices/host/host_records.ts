import type { LedgerEntry, LedgerRow } from "../../core/ports/ledger.ts";
import type { BlockDrive, Holder, HostDevice } from "./host_device.ts";

/** A host device as the ledger, an image and an answer hold it, with its 64-bit numbers as text. */
export interface HostDeviceRecord
  extends Omit<HostDevice, "info" | "createdNs" | "holders" | "block"> {
  readonly info: Omit<HostDevice["info"], "major" | "minor"> & {
    readonly major: string;
    readonly minor: string;
  };
  readonly createdNs: string;
  readonly holders: readonly (Omit<Holder, "sinceNs"> & { readonly sinceNs: string })[];
  readonly block?:
    | Omit<BlockDrive, "sizeBytes"> & { readonly sizeBytes?: string | undefined }
    | undefined;
}

/** The record of a device. */
export function recordOf(device: HostDevice): HostDeviceRecord {
  const { info, createdNs, holders, block, ...rest } = device;
  return {
    ...rest,
    info: { ...info, major: String(info.major), minor: String(info.minor) },
    createdNs: String(createdNs),
    holders: holders.map((holder) => ({ ...holder, sinceNs: String(holder.sinceNs) })),
    ...(block === undefined ? {} : { block: driveRecord(block) }),
  };
}

function driveRecord({ sizeBytes, ...rest }: BlockDrive): HostDeviceRecord["block"] {
  return { ...rest, ...(sizeBytes === undefined ? {} : { sizeBytes: String(sizeBytes) }) };
}

/**
 * The device of a record.
 *
 * @throws {Error} when a text in it should be a number and is not
 */
export function deviceOf(record: HostDeviceRecord): HostDevice {
  const { info, createdNs, holders, block, ...rest } = record;
  return {
    ...rest,
    info: { ...info, major: BigInt(info.major), minor: BigInt(info.minor) },
    createdNs: BigInt(createdNs),
    holders: holders.map((holder) => ({ ...holder, sinceNs: BigInt(holder.sinceNs) })),
    ...(block === undefined ? {} : { block: driveOf(block) }),
  };
}

function driveOf({ sizeBytes, ...rest }: NonNullable<HostDeviceRecord["block"]>): BlockDrive {
  return { ...rest, ...(sizeBytes === undefined ? {} : { sizeBytes: BigInt(sizeBytes) }) };
}

/** The ledger entry of a device. */
export function hostEntry(device: HostDevice): LedgerEntry {
  return { kind: "host-device", id: device.id, body: recordOf(device) };
}

/** The ledger entry that removes a device. */
export function hostGone(id: string): LedgerEntry {
  return { kind: "host-device", id, body: undefined };
}

/** The device that a ledger row holds. */
export function deviceOfRow({ body }: LedgerRow): HostDevice {
  return deviceOf(body as HostDeviceRecord);
}
