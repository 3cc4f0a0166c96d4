/**
 * The bytes of a journal: frames of `length u32, crc32c u32, body`, little-endian, the checksum
 * over the body. The first body is the header as JSON; each later one is a record of 33 or 41 bytes:
 * `sequence u64, inode u64, kind u8, two or three operands u64`.
 *
 * @module
 */
import { z } from "zod";
import { crc32c } from "./crc32c.ts";
import type { JournalHeader, JournalRecord, LeftJournal } from "../core/ports/journal.ts";

const FRAME_BYTES = 8;
const HEAD_BYTES = 17;
const OPERAND_BYTES = 8;
/** With two operands, as all records had before some got a third. */
const RECORD_BYTES = HEAD_BYTES + 2 * OPERAND_BYTES;
/** A header has a path of at most 4096 bytes and some names; JSON needs at most 6 bytes for one. */
const BODY_BYTES_MAX = 32 * 1024;
const KINDS = [
  "dirty",
  "clean",
  "settled",
  "changing",
  "overtaken",
] as const satisfies readonly JournalRecord[
  "kind"
][];

const Decimal = z.string().regex(/^[0-9]{1,20}$/).transform(BigInt);
const Header = z.strictObject({
  version: z.literal(1),
  bootId: z.string(),
  root: z.string(),
  path: z.string(),
  device: Decimal,
  inode: Decimal,
});

/** The content of a journal up to its last whole frame. */
type DecodedJournal = Omit<LeftJournal, "id">;

/** The first frame of a journal. */
export function encodeHeader(header: JournalHeader): Uint8Array<ArrayBuffer> {
  const { device, inode, ...names } = header;
  const body = { version: 1, ...names, device: String(device), inode: String(inode) };
  return frame(new TextEncoder().encode(JSON.stringify(body)));
}

/** The frame of a record. */
export function encodeRecord(
  record: JournalRecord,
  sequence: bigint,
  inode: bigint,
): Uint8Array<ArrayBuffer> {
  const operands = operandsOf(record);
  const body = new Uint8Array(HEAD_BYTES + operands.length * OPERAND_BYTES);
  const view = new DataView(body.buffer);
  view.setBigUint64(0, sequence, true);
  view.setBigUint64(8, inode, true);
  view.setUint8(16, KINDS.indexOf(record.kind));
  for (const [index, operand] of operands.entries()) {
    // A time before 1970 is negative. Its bits are those of a signed number.
    view.setBigUint64(HEAD_BYTES + index * OPERAND_BYTES, BigInt.asUintN(64, operand), true);
  }
  return frame(body);
}

/** Reads a journal up to its last whole frame. The rest was torn when the process died. */
export function decodeJournal(bytes: Uint8Array<ArrayBuffer>): DecodedJournal {
  const [first, ...rest] = bodiesOf(bytes);
  const header = first === undefined ? undefined : headerOf(first);
  if (first === undefined || header === undefined) {
    return { header: undefined, records: [], cutBytes: bytes.byteLength };
  }
  let goodBytes = FRAME_BYTES + first.byteLength;
  const records: JournalRecord[] = [];
  for (const body of rest) {
    const record = recordOf(body, BigInt(records.length), header.inode);
    if (record === undefined) break;
    records.push(record);
    goodBytes += FRAME_BYTES + body.byteLength;
  }
  return { header, records, cutBytes: bytes.byteLength - goodBytes };
}

function* bodiesOf(bytes: Uint8Array<ArrayBuffer>): Generator<Uint8Array<ArrayBuffer>> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + FRAME_BYTES <= bytes.byteLength;) {
    const length = view.getUint32(at, true);
    const end = at + FRAME_BYTES + length;
    if (length === 0 || length > BODY_BYTES_MAX || end > bytes.byteLength) return;
    const body = bytes.slice(at + FRAME_BYTES, end);
    if (crc32c(body) !== view.getUint32(at + 4, true)) return;
    yield body;
    at = end;
  }
}

function headerOf(body: Uint8Array): JournalHeader | undefined {
  try {
    const { version: _version, ...header } = Header.parse(
      JSON.parse(new TextDecoder().decode(body)),
    );
    return header;
  } catch {
    return undefined;
  }
}

function recordOf(
  body: Uint8Array<ArrayBuffer>,
  sequence: bigint,
  inode: bigint,
): JournalRecord | undefined {
  const isLong = body.byteLength === RECORD_BYTES + OPERAND_BYTES;
  if (body.byteLength !== RECORD_BYTES && !isLong) return undefined;
  const view = new DataView(body.buffer);
  if (view.getBigUint64(0, true) !== sequence || view.getBigUint64(8, true) !== inode) {
    return undefined;
  }
  const kind = KINDS[view.getUint8(16)];
  const operand = (index: number) => view.getBigUint64(HEAD_BYTES + index * OPERAND_BYTES, true);
  const time = (index: number) => BigInt.asIntN(64, operand(index));
  if (isLong && kind !== "settled") return undefined;
  switch (kind) {
    case "dirty":
    case "clean":
      return { kind, start: operand(0), end: operand(1) };
    case "settled":
      return {
        ...{ kind, sizeBytes: operand(0), modificationTimeNs: time(1) },
        ...isLong ? { statusChangeTimeNs: time(2) } : {},
      };
    default:
      return kind === undefined ? undefined : { kind };
  }
}

function operandsOf(record: JournalRecord): bigint[] {
  switch (record.kind) {
    case "dirty":
    case "clean":
      return [record.start, record.end];
    case "settled":
      return [
        ...[record.sizeBytes, record.modificationTimeNs],
        ...record.statusChangeTimeNs === undefined ? [] : [record.statusChangeTimeNs],
      ];
    case "changing":
    case "overtaken":
      return [0n, 0n];
  }
}

function frame(body: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(FRAME_BYTES + body.byteLength);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, body.byteLength, true);
  view.setUint32(4, crc32c(body), true);
  bytes.set(body, FRAME_BYTES);
  return bytes;
}
