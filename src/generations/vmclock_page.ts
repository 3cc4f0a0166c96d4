/**
 * The page in the layout of a VMClock device (Linux' vmclock-abi.h), with the epoch as its 64-bit
 * generation counter: programs that prefer `/dev/vmclock0` read this one. Little-endian.
 *
 * It is a sequence lock: a reader that finds an odd sequence, or another one after reading, reads
 * again. Ours is never odd, since readers give up on one that is odd too often: each field is stored
 * whole, and the sequence last (docs/generations.md#vmclock).
 *
 * @module
 */
import { PAGE_BYTES } from "../core/limits.ts";
import type { PageFile } from "../core/ports/page_file.ts";
import { wordsThatDiffer } from "./page_words.ts";

const MAGIC = 0x4b4c_4356;
const VERSION = 1;
const COUNTER_INVALID = 0xff;
const FLAG_GENERATION_PRESENT = 1n << 8n;

/** The 8 bytes that hold the sequence, behind version, counter and time type. */
const SEQUENCE_WORD = 0x08;

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

/** The first bytes of a page of this epoch. */
export function vmclockBytes(epoch: bigint, sequence = 0): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(VMCLOCK_BYTES));
  view.setUint32(OFFSET.magic, MAGIC, true);
  view.setUint32(OFFSET.size, PAGE_BYTES, true);
  view.setUint16(OFFSET.version, VERSION, true);
  view.setUint8(OFFSET.counterId, COUNTER_INVALID);
  view.setUint32(OFFSET.sequence, sequence, true);
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

/**
 * Publishes an epoch: the generation, then the marker, then the next even sequence, each in one
 * store that nobody sees before those ahead of it.
 *
 * @param last The sequence that the page shows, where that is known
 * @returns The sequence that it has now
 */
export function storeVmclock(page: PageFile, epoch: bigint, last?: number): number {
  const sequence = nextSequence(last ?? vmclockSequence(page.bytes()));
  page.store([
    [OFFSET.generation, epoch],
    [OFFSET.disruptionMarker, epoch],
    [SEQUENCE_WORD, sequenceWord(sequence)],
  ]);
  return sequence;
}

/**
 * Makes the whole page that of an epoch, whatever it shows. The sequence changes in any case, since
 * a process may have died before it stored that.
 *
 * @returns The sequence that the page has now
 */
export function mendVmclock(page: PageFile, epoch: bigint): number {
  const found = page.bytes();
  const sequence = nextSequence(vmclockSequence(found));
  const fields = wordsThatDiffer(found, vmclockBytes(epoch, sequence));
  page.store([
    ...fields.filter(([offset]) => offset !== SEQUENCE_WORD),
    [SEQUENCE_WORD, sequenceWord(sequence)],
  ]);
  return sequence;
}

/** The sequence that a page shows. */
export function vmclockSequence(bytes: Uint8Array<ArrayBuffer>): number {
  return new DataView(bytes.buffer).getUint32(OFFSET.sequence, true);
}

/** The next even sequence. Only another program, or an older version of this one, leaves an odd one. */
export function nextSequence(sequence: number): number {
  return (sequence + 2 - sequence % 2) >>> 0;
}

/** What stands before the sequence in its word. */
const VERSION_BITS = BigInt(VERSION | COUNTER_INVALID << 16);

function sequenceWord(sequence: number): bigint {
  return VERSION_BITS | BigInt(sequence) << 32n;
}
