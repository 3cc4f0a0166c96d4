/**
 * The form of a snapshot, version 2 (docs/guests.md#snapshots). Numbers are little-endian.
 *
 * | offset | bytes | what |
 * |---|---|---|
 * | 0 | 8 | magic `INNGUEST` |
 * | 8 | 4 | version |
 * | 12 | 4 | length of the index |
 * | 16 | 32 | SHA-256 of the first 16 bytes and the index |
 * | 48 | | index: JSON with what the snapshot is of, vCPU and ABI state, runs of pages, and the SHA-256 of each part after it |
 * | | | the pages that are not all zero |
 * | | | device state, in a form of the engine's own; none for a guest without devices |
 * | | | what the guest has written to its disks |
 *
 * The index has a checksum of its own, so that it can be trusted without reading the pages.
 *
 * @module
 */
import { concat } from "@std/bytes";
import type { GuestImage } from "../../core/ports/guest_engine.ts";
import type { MachineHead, MachineImage } from "../linux/machine_image.ts";

export const MAGIC = new TextEncoder().encode("INNGUEST");
export const VERSION = 2;
/** Bytes before the checksum. */
export const PREFIX_BYTES = 16;
/** Bytes before the index. */
export const HEADER_BYTES = 48;

/** What a snapshot is of. */
export interface SnapshotSubject {
  /** Id of the guest that it was taken of. */
  readonly guest: string;
  /** Scope of that guest, and its generation: a clone's must be a later one. */
  readonly scope: string;
  readonly generation: number;
  /** When, in nanoseconds since 1970-01-01T00:00:00Z. */
  readonly createdNs: bigint;
}

/** A snapshot without its memory. */
export interface SnapshotHead extends SnapshotSubject {
  readonly engine: string;
  readonly memoryBytes: number;
  /** What a Linux guest was plugged into. */
  readonly machine: MachineHead | undefined;
}

/** The guest in a snapshot. */
export interface SavedGuest {
  readonly image: GuestImage;
  /** Of a Linux guest. */
  readonly machine?: MachineImage | undefined;
}

/** The JSON of the index. */
export interface SnapshotIndex extends Omit<SnapshotHead, "createdNs"> {
  readonly createdNs: string;
  readonly vcpu: unknown;
  readonly abi: unknown;
  readonly runs: readonly (readonly [first: number, count: number])[];
  readonly pagesSha256: string;
  readonly deviceBytes: number;
  readonly devicesSha256: string;
  readonly overlaysSha256: string;
}

/** The checksum of the header: of its first bytes and the index. */
export function headSha256(header: Uint8Array, index: Uint8Array): Promise<string> {
  return sha256(concat([header.subarray(0, PREFIX_BYTES), index]));
}

/** @returns 64 hexadecimal digits */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
