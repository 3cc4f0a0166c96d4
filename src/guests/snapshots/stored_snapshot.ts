import { Fault } from "../../core/faults.ts";
import { GUEST_PAGES_MAX, PAGE_BYTES, SNAPSHOT_INDEX_BYTES_MAX } from "../../core/limits.ts";
import type { SnapshotFile } from "../../core/ports/snapshot_store.ts";
import { overlayBytes } from "../linux/machine_image.ts";
import {
  HEADER_BYTES,
  headSha256,
  MAGIC,
  PREFIX_BYTES,
  type SavedGuest,
  sha256,
  type SnapshotHead,
  type SnapshotIndex,
  VERSION,
} from "./snapshot.ts";
import { stored } from "./stored.ts";

/**
 * A stored snapshot that is open. Its head was read and checked; its guest is read on request.
 * The file is read once, from its start to its end.
 */
export class StoredSnapshot implements Disposable {
  readonly head: SnapshotHead;
  readonly #index: SnapshotIndex;
  readonly #file: SnapshotFile;
  /** Bytes after the index. */
  readonly #bodyBytes: number;

  private constructor(file: SnapshotFile, index: SnapshotIndex, bodyBytes: number) {
    const { guest, scope, generation, createdNs, engine, memoryBytes, machine } = index;
    const subject = { guest, scope, generation, createdNs: BigInt(createdNs) };
    this.head = { ...subject, engine, memoryBytes, machine };
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
   * Reads the guest in it. Once.
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

function* pagesOf(runs: SnapshotIndex["runs"], limit: number): Iterable<number> {
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
