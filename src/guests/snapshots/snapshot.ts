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
 * The index has a checksum of its own, so that it can be checked without reading the pages.
 *
 * @module
 */
import { concat } from "@std/bytes";
import { Fault } from "../../core/faults.ts";
import { GUEST_PAGES_MAX, PAGE_BYTES, SNAPSHOT_INDEX_BYTES_MAX } from "../../core/limits.ts";
import type { GuestImage } from "../../core/ports/guest_engine.ts";
import type { SnapshotFile } from "../../core/ports/snapshot_store.ts";
import { type MachineHead, type MachineImage, overlayBytes } from "../linux/machine_image.ts";
import { stored } from "./stored.ts";

const MAGIC = new TextEncoder().encode("INNGUEST");
const VERSION = 2;
/** Bytes before the checksum. */
const PREFIX_BYTES = 16;
/** Bytes before the index. */
const HEADER_BYTES = 48;

/** What a snapshot is of. */
export interface SnapshotSubject {
  /** Id of the guest that it was taken of. */
  readonly guest: string;
  /** Scope of that guest, and its generation: a clone's must be a later one. */
  readonly scope: string;
  readonly generation: number;
  /** Options of that scope as its domain writes them: the scope of a clone gets them. */
  readonly scopeOptions?: unknown;
  /** When, in nanoseconds since 1970-01-01T00:00:00Z. */
  readonly createdNs: bigint;
}

/** A snapshot without its memory. */
export interface SnapshotHead extends SnapshotSubject {
  readonly engine: string;
  readonly memoryBytes: number;
  /** The devices of a Linux guest. */
  readonly machine: MachineHead | undefined;
}

/** The guest in a snapshot. */
export interface SavedGuest {
  readonly image: GuestImage;
  /** Of a Linux guest. */
  readonly machine?: MachineImage | undefined;
}

/** The JSON of the index. */
interface Index extends Omit<SnapshotHead, "createdNs"> {
  readonly createdNs: string;
  readonly vcpu: unknown;
  readonly abi: unknown;
  readonly runs: readonly (readonly [first: number, count: number])[];
  readonly pagesSha256: string;
  readonly deviceBytes: number;
  readonly devicesSha256: string;
  readonly overlaysSha256: string;
}

/**
 * A guest as the bytes of a snapshot.
 *
 * @throws {Fault} `snapshots-exhausted` when its index is too long
 */
export async function encodeSnapshot(
  subject: SnapshotSubject,
  { image, machine }: SavedGuest,
): Promise<{ readonly head: SnapshotHead; readonly bytes: Uint8Array<ArrayBuffer> }> {
  const { engine, memoryBytes, vcpu, abi, devices } = image;
  const { overlays = new Uint8Array(), ...plugged } = machine ?? {};
  const head = {
    ...subject,
    engine,
    memoryBytes,
    machine: machine === undefined ? undefined : plugged as SnapshotHead["machine"],
  };
  const index = new TextEncoder().encode(JSON.stringify(
    {
      ...head,
      createdNs: String(subject.createdNs),
      vcpu,
      abi,
      runs: runsOf(image.pages),
      pagesSha256: await sha256(image.bytes),
      deviceBytes: devices.length,
      devicesSha256: await sha256(devices),
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
  const prefix = new Uint8Array(PREFIX_BYTES);
  prefix.set(MAGIC);
  const view = new DataView(prefix.buffer);
  view.setUint32(8, VERSION, true);
  view.setUint32(12, index.length, true);
  const checksum = Uint8Array.fromHex(await headSha256(prefix, index));
  return { head, bytes: concat([prefix, checksum, index, image.bytes, devices, overlays]) };
}

/** Pages that follow each other without a gap, as first page and count. */
function runsOf(pages: Uint32Array): [first: number, count: number][] {
  const runs: [number, number][] = [];
  for (const page of pages) {
    const run = runs.at(-1);
    if (run !== undefined && run[0] + run[1] === page) run[1]++;
    else runs.push([page, 1]);
  }
  return runs;
}

/**
 * A stored snapshot that is open. Its head was read and checked; its guest is read on request.
 * The file is read once, from its start to its end.
 */
export class StoredSnapshot implements Disposable {
  readonly head: SnapshotHead;
  readonly #index: Index;
  readonly #file: SnapshotFile;
  /** Bytes after the index. */
  readonly #bodyBytes: number;

  private constructor(file: SnapshotFile, index: Index, bodyBytes: number) {
    const { guest, scope, generation, scopeOptions, createdNs } = index;
    const { engine, memoryBytes, machine } = index;
    const subject = { guest, scope, generation, createdNs: BigInt(createdNs) };
    // Snapshots of earlier versions have no options.
    const options = scopeOptions === undefined ? {} : { scopeOptions };
    this.head = { ...subject, ...options, engine, memoryBytes, machine };
    this.#index = index;
    this.#file = file;
    this.#bodyBytes = bodyBytes;
  }

  /**
   * Reads what a snapshot is of, without looking at its pages.
   *
   * @param file Closed with the snapshot, and when this throws
   * @throws {Fault} `snapshot-damaged`, `snapshot-version`, `state-unavailable`
   */
  static async open(file: SnapshotFile): Promise<StoredSnapshot> {
    using undo = new DisposableStack();
    undo.use(file);
    const header = await stored(file.read(HEADER_BYTES));
    const indexBytes = indexBytesOf(header);
    const index = await stored(file.read(indexBytes));
    if (await headSha256(header, index) !== header.subarray(PREFIX_BYTES).toHex()) {
      throw damaged("its index was altered");
    }
    const bodyBytes = file.sizeBytes - HEADER_BYTES - indexBytes;
    const snapshot = new StoredSnapshot(
      file,
      JSON.parse(new TextDecoder().decode(index)),
      bodyBytes,
    );
    undo.move();
    return snapshot;
  }

  /**
   * Reads the guest in it. It can be called once.
   *
   * @throws {Fault} `snapshot-damaged` when a byte is missing, changed or too many;
   * `state-unavailable`
   */
  async guest(): Promise<SavedGuest> {
    const { engine, memoryBytes, vcpu, abi, machine, ...index } = this.#index;
    const pages = Uint32Array.from(pagesOf(index.runs, memoryBytes / PAGE_BYTES));
    const devicesAt = pages.length * PAGE_BYTES;
    const overlaysAt = devicesAt + index.deviceBytes;
    const end = overlaysAt + overlayBytes(machine?.disks ?? []);
    if (end !== this.#bodyBytes) throw damaged("it is not all there");
    const body = await stored(this.#file.read(end));
    if (body.length !== end) throw damaged("it is cut short");
    const part = async (from: number, to: number, checksum: string, name: string) => {
      const bytes = body.subarray(from, to);
      if (await sha256(bytes) !== checksum) throw damaged(`its ${name} were altered`);
      return bytes;
    };
    const bytes = await part(0, devicesAt, index.pagesSha256, "pages");
    const devices = await part(devicesAt, overlaysAt, index.devicesSha256, "devices");
    const overlays = await part(overlaysAt, end, index.overlaysSha256, "disks");
    const image = { engine, memoryBytes, vcpu, abi, pages, bytes, devices };
    return { image, machine: machine === undefined ? undefined : { ...machine, overlays } };
  }

  /** Size of the whole snapshot. */
  get sizeBytes(): number {
    return this.#file.sizeBytes;
  }

  [Symbol.dispose](): void {
    this.#file[Symbol.dispose]();
  }
}

/** @throws {Fault} `snapshot-damaged`, `snapshot-version` */
function indexBytesOf(header: Uint8Array): number {
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
  return indexBytes;
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

/** The checksum of the header: of its first bytes and the index. */
function headSha256(header: Uint8Array, index: Uint8Array): Promise<string> {
  return sha256(concat([header.subarray(0, PREFIX_BYTES), index]));
}

/** @returns 64 hexadecimal digits */
async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
