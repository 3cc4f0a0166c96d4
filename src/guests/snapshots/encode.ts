import { concat } from "@std/bytes";
import { Fault } from "../../core/faults.ts";
import { SNAPSHOT_INDEX_BYTES_MAX } from "../../core/limits.ts";
import {
  headSha256,
  MAGIC,
  PREFIX_BYTES,
  type SavedGuest,
  sha256,
  type SnapshotHead,
  type SnapshotIndex,
  type SnapshotSubject,
  VERSION,
} from "./snapshot.ts";

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
    } satisfies SnapshotIndex,
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
