/**
 * The page in the layout of a VMClock device (Linux' vmclock-abi.h), with the epoch as its 64-bit
 * generation counter: programs that prefer `/dev/vmclock0` read this one. Little-endian.
 *
 * It is a sequence lock: a reader that finds an odd sequence, or another one after reading, reads
 * again.
 *
 * @module
 */
import { PAGE_BYTES } from "../core/limits.ts";
import type { PageFile } from "../core/ports/page_file.ts";

const MAGIC = 0x4b4c_4356;
const VERSION = 1;
const COUNTER_INVALID = 0xff;
const FLAG_GENERATION_PRESENT = 1n << 8n;

const OFFSET = {
  magic: 0x00,
  size: 0x04,
  version: 0x08,
  counterId: 0x0a,
  sequence: 0x0c,
  disruptionMarker: 0x10,
  flags: 0x18,
  generation: 0x68,
} as const;

/** Bytes of the structure that the page begins with. */
export const VMCLOCK_BYTES = 0x70;

/** The first bytes of a page of this epoch, at rest. */
export function vmclockBytes(epoch: bigint): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(VMCLOCK_BYTES));
  view.setUint32(OFFSET.magic, MAGIC, true);
  view.setUint32(OFFSET.size, PAGE_BYTES, true);
  view.setUint16(OFFSET.version, VERSION, true);
  view.setUint8(OFFSET.counterId, COUNTER_INVALID);
  view.setBigUint64(OFFSET.disruptionMarker, epoch, true);
  view.setBigUint64(OFFSET.flags, FLAG_GENERATION_PRESENT, true);
  view.setBigUint64(OFFSET.generation, epoch, true);
  return new Uint8Array(view.buffer);
}

/** The epoch that a page shows; `undefined` when the page has another layout. */
export function vmclockEpoch(bytes: Uint8Array<ArrayBuffer>): bigint | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(OFFSET.magic, true) !== MAGIC) return undefined;
  return view.getBigUint64(OFFSET.generation, true);
}

/** What a page of this layout shows, perhaps in the middle of a change. */
interface ShownVmclock {
  /** Odd while the page changes. */
  readonly sequence: number;
  /** `undefined` when it does not count generations. */
  readonly generation: bigint | undefined;
}

/** Reads bytes of this layout and version; `undefined` when they are not. */
export function readVmclock(bytes: Uint8Array<ArrayBuffer>): ShownVmclock | undefined {
  if (bytes.byteLength < VMCLOCK_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getUint32(OFFSET.magic, true) !== MAGIC) return undefined;
  if (view.getUint16(OFFSET.version, true) !== VERSION) return undefined;
  const counts = (view.getBigUint64(OFFSET.flags, true) & FLAG_GENERATION_PRESENT) !== 0n;
  return {
    sequence: view.getUint32(OFFSET.sequence, true),
    generation: counts ? view.getBigUint64(OFFSET.generation, true) : undefined,
  };
}

/** Stores an epoch: odd sequence, fields, even sequence. It mends a sequence that is odd. */
export function storeVmclock(page: PageFile, epoch: bigint): void {
  const bytes = page.bytes();
  const sequence = new DataView(bytes.buffer).getUint32(OFFSET.sequence, true);
  const odd = (sequence | 1) >>> 0;
  page.write(OFFSET.sequence, u32(odd));
  const fields = vmclockBytes(epoch);
  page.write(OFFSET.magic, fields.subarray(OFFSET.magic, OFFSET.sequence));
  page.write(OFFSET.disruptionMarker, fields.subarray(OFFSET.disruptionMarker));
  page.write(OFFSET.sequence, u32((odd + 1) >>> 0));
}

/** Whether a page shows this epoch and is at rest. */
export function isVmclockAt(bytes: Uint8Array<ArrayBuffer>, epoch: bigint): boolean {
  const sequence = new DataView(bytes.buffer).getUint32(OFFSET.sequence, true);
  return sequence % 2 === 0 && vmclockEpoch(bytes) === epoch;
}

function u32(value: number): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, value, true);
  return new Uint8Array(view.buffer);
}
