/**
 * The form of a snapshot, version 2. Numbers are little-endian.
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
import { Fault } from "../../core/faults.ts";
import { GUEST_PAGES_MAX, PAGE_BYTES, SNAPSHOT_INDEX_BYTES_MAX } from "../../core/limits.ts";
import type { GuestImage } from "../../core/ports/guest_engine.ts";
import { type MachineHead, type MachineImage, overlayBytes } from "../linux/machine_image.ts";

const MAGIC = new TextEncoder().encode("INNGUEST");
const VERSION = 2;
const PREFIX_BYTES = 16;
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
export interface Decoded {
  readonly image: GuestImage;
  readonly machine: MachineImage | undefined;
}

interface Index {
  readonly guest: string;
  readonly scope: string;
  readonly generation: number;
  readonly createdNs: string;
  readonly engine: string;
  readonly memoryBytes: number;
  readonly vcpu: unknown;
  readonly abi: unknown;
  readonly runs: readonly (readonly [first: number, count: number])[];
  readonly pagesSha256: string;
  readonly deviceBytes: number;
  readonly devicesSha256: string;
  readonly machine: MachineHead | undefined;
  readonly overlaysSha256: string;
}

const NOTHING = new Uint8Array();

/** A snapshot as bytes. */
export async function encodeSnapshot(
  subject: SnapshotSubject,
  image: GuestImage,
  machine?: MachineImage,
): Promise<Uint8Array<ArrayBuffer>> {
  const { overlays = NOTHING, ...head } = machine ?? {};
  const index = new TextEncoder().encode(JSON.stringify(
    {
      ...subject,
      createdNs: String(subject.createdNs),
      engine: image.engine,
      memoryBytes: image.memoryBytes,
      vcpu: image.vcpu,
      abi: image.abi,
      runs: runsOf(image.pages),
      pagesSha256: await sha256(image.bytes),
      deviceBytes: image.devices.length,
      devicesSha256: await sha256(image.devices),
      machine: machine === undefined ? undefined : head as MachineHead,
      overlaysSha256: await sha256(overlays),
    } satisfies Index,
  ));
  if (index.length > SNAPSHOT_INDEX_BYTES_MAX) {
    throw new Fault(
      "snapshots-exhausted",
      `Cannot snapshot guest "${subject.guest}": its index has ${index.length} bytes and ` +
        `${SNAPSHOT_INDEX_BYTES_MAX} can be kept; close files in the guest`,
    );
  }
  const pagesAt = HEADER_BYTES + index.length;
  const devicesAt = pagesAt + image.bytes.length;
  const overlaysAt = devicesAt + image.devices.length;
  const bytes = new Uint8Array(overlaysAt + overlays.length);
  bytes.set(MAGIC);
  const view = new DataView(bytes.buffer);
  view.setUint32(8, VERSION, true);
  view.setUint32(12, index.length, true);
  bytes.set(index, HEADER_BYTES);
  bytes.set(image.bytes, pagesAt);
  bytes.set(image.devices, devicesAt);
  bytes.set(overlays, overlaysAt);
  bytes.set(Uint8Array.fromHex(await headSha256(bytes, index)), PREFIX_BYTES);
  return bytes;
}

/**
 * How many bytes from the start hold the header and the index.
 *
 * @param header The first {@linkcode HEADER_BYTES} at least
 * @throws {Fault} `snapshot-damaged`, `snapshot-version`
 */
export function headBytes(header: Uint8Array): number {
  if (header.length < HEADER_BYTES) throw damaged("it is cut short");
  if (MAGIC.some((byte, index) => header[index] !== byte)) throw damaged("it is not a snapshot");
  const view = new DataView(header.buffer, header.byteOffset, header.byteLength);
  const version = view.getUint32(8, true);
  if (version !== VERSION) {
    throw new Fault(
      "snapshot-version",
      `Cannot read the snapshot: it has version ${version}, known is ${VERSION}`,
    );
  }
  const indexBytes = view.getUint32(12, true);
  if (indexBytes > SNAPSHOT_INDEX_BYTES_MAX) throw damaged("its index is too long");
  return HEADER_BYTES + indexBytes;
}

/**
 * What a snapshot is of, without looking at its pages.
 *
 * @param bytes All of it, or its first {@linkcode headBytes}
 * @throws {Fault} `snapshot-damaged`, `snapshot-version`
 */
export async function decodeHead(bytes: Uint8Array<ArrayBuffer>): Promise<SnapshotHead> {
  const { guest, scope, generation, createdNs, engine, memoryBytes, machine } = await indexOf(
    bytes,
  );
  return { guest, scope, generation, createdNs: BigInt(createdNs), engine, memoryBytes, machine };
}

/**
 * The guest in a snapshot.
 *
 * @throws {Fault} `snapshot-damaged` when a byte is missing, changed or too many;
 * `snapshot-version`
 */
export async function decodeSnapshot(bytes: Uint8Array<ArrayBuffer>): Promise<Decoded> {
  const index = await indexOf(bytes);
  const { engine, memoryBytes, vcpu, abi, machine } = index;
  const pages = Uint32Array.from(pagesOf(index.runs, memoryBytes / PAGE_BYTES));
  const parts = bytes.subarray(headBytes(bytes));
  const pageBytes = pages.length * PAGE_BYTES;
  const overlaysAt = pageBytes + index.deviceBytes;
  const written = overlayBytes(machine?.disks ?? []);
  if (parts.length !== overlaysAt + written) throw damaged("it is not all there");
  const stored = parts.subarray(0, pageBytes);
  const devices = parts.subarray(pageBytes, overlaysAt);
  const overlays = parts.subarray(overlaysAt);
  if (await sha256(stored) !== index.pagesSha256) throw damaged("its pages were altered");
  if (await sha256(devices) !== index.devicesSha256) throw damaged("its devices were altered");
  if (await sha256(overlays) !== index.overlaysSha256) throw damaged("its disks were altered");
  const image = { engine, memoryBytes, vcpu, abi, pages, bytes: stored, devices };
  return { image, machine: machine === undefined ? undefined : { ...machine, overlays } };
}

async function indexOf(bytes: Uint8Array<ArrayBuffer>): Promise<Index> {
  const end = headBytes(bytes);
  if (bytes.length < end) throw damaged("it is cut short");
  const index = bytes.subarray(HEADER_BYTES, end);
  if (await headSha256(bytes, index) !== bytes.subarray(PREFIX_BYTES, HEADER_BYTES).toHex()) {
    throw damaged("its index was altered");
  }
  return JSON.parse(new TextDecoder().decode(index));
}

function headSha256(bytes: Uint8Array, index: Uint8Array): Promise<string> {
  const head = new Uint8Array(PREFIX_BYTES + index.length);
  head.set(bytes.subarray(0, PREFIX_BYTES));
  head.set(index, PREFIX_BYTES);
  return sha256(head);
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

function runsOf(pages: Uint32Array): [first: number, count: number][] {
  const runs: [number, number][] = [];
  for (const page of pages) {
    const run = runs.at(-1);
    if (run !== undefined && run[0] + run[1] === page) run[1]++;
    else runs.push([page, 1]);
  }
  return runs;
}

function* pagesOf(runs: Index["runs"], limit: number): Iterable<number> {
  if (limit > GUEST_PAGES_MAX) throw damaged("it has more memory than a guest may have");
  let next = 0;
  for (const [first, count] of runs) {
    if (first < next || first + count > limit) throw damaged("its pages are out of order");
    for (next = first; next < first + count; next++) yield next;
  }
}

function damaged(why: string): Fault {
  return new Fault("snapshot-damaged", `Cannot read the snapshot: ${why}`);
}
