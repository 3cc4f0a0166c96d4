import { MIB } from "../../src/core/limits.ts";

/** What a made-up bzImage says of itself. */
export interface BzImageFields {
  readonly version?: number;
  readonly loadFlags?: number;
  readonly initrdMax?: number;
}

/** A bzImage whose protected-mode part is `nop; nop; nop; hlt`; it prefers 16 MiB and needs 4. */
export function bzImageOf(
  { version = 0x020f, loadFlags = 1, initrdMax = 0x37ff_ffff }: BzImageFields = {},
): Uint8Array {
  const bytes = new Uint8Array(3 * 512 + 4);
  const view = new DataView(bytes.buffer);
  bytes[0x1f1] = 2;
  view.setUint16(0x1fe, 0xaa55, true);
  bytes[0x201] = 0x66;
  view.setUint32(0x202, 0x5372_6448, true);
  view.setUint16(0x206, version, true);
  bytes[0x211] = loadFlags;
  view.setUint32(0x214, 0x100000, true);
  view.setUint32(0x22c, initrdMax, true);
  view.setUint32(0x238, 2047, true);
  view.setBigUint64(0x258, 16n * BigInt(MIB), true);
  view.setUint32(0x260, 4 * MIB, true);
  bytes.set([0x90, 0x90, 0x90, 0xf4], 3 * 512);
  return bytes;
}

/** A segment of a made-up vmlinux. */
export interface ElfSegment {
  readonly at: number;
  readonly bytes: Uint8Array;
  readonly memoryBytes?: number;
  /** Entry point of the file; the segment's address by default. */
  readonly entry?: number;
}

/** A 32-bit x86 vmlinux. */
export function elfOf(segments: readonly ElfSegment[]): Uint8Array {
  const headersEnd = 52 + 32 * segments.length;
  const size = segments.reduce((sum, { bytes }) => sum + bytes.length, headersEnd);
  const file = new Uint8Array(size);
  const view = new DataView(file.buffer);
  view.setUint32(0, 0x464c_457f, true);
  file.set([1, 1, 1], 4);
  view.setUint16(16, 2, true);
  view.setUint16(18, 3, true);
  const [first] = segments;
  view.setUint32(24, first?.entry ?? first?.at ?? 0, true);
  view.setUint32(28, 52, true);
  view.setUint16(42, 32, true);
  view.setUint16(44, segments.length, true);
  let from = headersEnd;
  for (const [index, { at, bytes, memoryBytes = bytes.length }] of segments.entries()) {
    const header = [1, from, at, at, bytes.length, memoryBytes, 7, 4096];
    for (const [word, value] of header.entries()) {
      view.setUint32(52 + 32 * index + 4 * word, value, true);
    }
    file.set(bytes, from);
    from += bytes.length;
  }
  return file;
}
