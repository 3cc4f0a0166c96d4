/** What is wrong with a write-ahead log. */
interface WalDamage {
  readonly what: string;
  /** Whether it can only be the end of a write that was cut by a loss of power, and not promised. */
  readonly isTail: boolean;
}

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const MAGIC = 0x377f0682;
/** The bytes of the header that its checksum is over, and those of a frame's header. */
const SUMMED_HEADER_BYTES = 24;
const SUMMED_FRAME_BYTES = 8;

type Sum = readonly [number, number];

/**
 * Looks for damage in a write-ahead log of SQLite (https://www.sqlite.org/fileformat2.html#walformat).
 * SQLite takes a damaged one for a shorter or an empty one: what was committed is gone in silence,
 * and numbers that were handed out are handed out again.
 */
export function walDamage(bytes: Uint8Array<ArrayBuffer>): WalDamage | undefined {
  if (bytes.byteLength === 0) return undefined;
  if (bytes.byteLength < HEADER_BYTES) return { what: "its header is cut", isTail: false };
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = view.getUint32(0);
  const littleEndian = magic === MAGIC;
  const sum = sumOf(view, 0, SUMMED_HEADER_BYTES, [0, 0], littleEndian);
  if ((magic & ~1) !== MAGIC || !isAt(view, SUMMED_HEADER_BYTES, sum)) {
    return { what: "its header is damaged", isTail: false };
  }
  return frameDamage(view, sum, littleEndian);
}

function frameDamage(view: DataView, first: Sum, littleEndian: boolean): WalDamage | undefined {
  const pageBytes = view.getUint32(8);
  const frameBytes = FRAME_HEADER_BYTES + pageBytes;
  const hasSalts = (at: number): boolean =>
    view.getUint32(at + 8) === view.getUint32(16) && view.getUint32(at + 12) === view.getUint32(20);
  let sum = first;
  let at = HEADER_BYTES;
  for (; at + frameBytes <= view.byteLength; at += frameBytes) {
    sum = sumOf(view, at, SUMMED_FRAME_BYTES, sum, littleEndian);
    sum = sumOf(view, at + FRAME_HEADER_BYTES, pageBytes, sum, littleEndian);
    if (!hasSalts(at) || !isAt(view, at + 16, sum)) break;
  }
  const what = `frame ${(at - HEADER_BYTES) / frameBytes} is damaged`;
  // Frames of an earlier round have other salts, and may follow.
  for (let later = at + frameBytes; later + FRAME_HEADER_BYTES <= view.byteLength;) {
    if (hasSalts(later)) return { what, isTail: false };
    later += frameBytes;
  }
  const isBegun = at + FRAME_HEADER_BYTES <= view.byteLength && hasSalts(at);
  return isBegun ? { what, isTail: true } : undefined;
}

function sumOf(view: DataView, at: number, length: number, from: Sum, littleEndian: boolean): Sum {
  let [a, b] = from;
  for (let offset = at; offset < at + length; offset += 8) {
    a = (a + view.getUint32(offset, littleEndian) + b) >>> 0;
    b = (b + view.getUint32(offset + 4, littleEndian) + a) >>> 0;
  }
  return [a, b];
}

function isAt(view: DataView, at: number, [a, b]: Sum): boolean {
  return view.getUint32(at) === a && view.getUint32(at + 4) === b;
}
