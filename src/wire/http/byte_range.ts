import { Fault } from "../../core/faults.ts";
import { BYTE_PARTS_MAX, U64_MAX } from "../../core/limits.ts";

/** Bytes from `start` up to, not including, `end`. */
export interface ByteRange {
  readonly start: bigint;
  readonly end: bigint;
}

const SINGLE = /^\s*bytes\s*=\s*([0-9]*)\s*-\s*([0-9]*)\s*$/i;
const SET = /^\s*bytes\s*=(.*)$/i;
const SPEC = /^([0-9]*)\s*-\s*([0-9]*)$/;
const PATH = /^([0-9]{1,20})-([0-9]{1,20})$/;

/**
 * The bytes that a `Range` header asks for (RFC 9110 §14.2): first-last, first-, or -suffix.
 *
 * @param header The header, `undefined` for none
 * @param size Size of the representation in bytes
 * @returns `undefined` when the whole representation is to be sent: no header, one that is not
 * in bytes, one that is malformed or asks for several ranges (the RFC lets a server ignore those)
 * @throws {Fault} `range-not-satisfiable` when no byte of the range exists
 */
export function requestedRange(header: string | undefined, size: bigint): ByteRange | undefined {
  const match = header === undefined ? null : SINGLE.exec(header);
  if (match === null) return undefined;
  const [, first = "", last = ""] = match;
  if (first === "" && last === "") return undefined;
  if (first !== "" && last !== "" && BigInt(last) < BigInt(first)) return undefined;
  const start = first === "" ? clamp(size - BigInt(last)) : BigInt(first);
  const end = first === "" || last === "" ? size : min(BigInt(last) + 1n, size);
  if (start >= size || start >= end) {
    throw new Fault(
      "range-not-satisfiable",
      `Cannot send "${header?.slice(0, 80)}": the content has ${size} bytes`,
      { members: { size: String(size) } },
    );
  }
  return { start, end };
}

/**
 * The ranges that a `Range` header asks for (RFC 9110 §14.2), in its order. Those of which no byte
 * exists are left out.
 *
 * @returns `undefined` when the whole representation is to be sent: no header, one that is not in
 * bytes or malformed, too many ranges, or more bytes than there are: the RFC lets a server ignore
 * those
 * @throws {Fault} `range-not-satisfiable` when no byte of any range exists
 */
export function requestedRanges(
  header: string | undefined,
  size: bigint,
): readonly ByteRange[] | undefined {
  const match = header === undefined ? null : SET.exec(header);
  if (header === undefined || match === null) return undefined;
  const specs = (match[1] as string).split(",").map((spec) => spec.trim()).filter(Boolean);
  if (specs.length > BYTE_PARTS_MAX) return undefined;
  const ranges: ByteRange[] = [];
  for (const spec of specs) {
    const range = rangeOf(spec, size);
    if (range === undefined) return undefined;
    if (range.start < range.end) ranges.push(range);
  }
  if (specs.length === 0) return undefined;
  if (ranges.length === 0) {
    throw new Fault(
      "range-not-satisfiable",
      `Cannot send "${header.slice(0, 80)}": the content has ${size} bytes`,
      { members: { size: String(size) } },
    );
  }
  const asked = ranges.reduce((sum, { start, end }) => sum + end - start, 0n);
  return ranges.length > 1 && asked > size ? undefined : ranges;
}

/** One range of a set, empty when no byte of it exists; `undefined` when it is malformed. */
function rangeOf(spec: string, size: bigint): ByteRange | undefined {
  const match = SPEC.exec(spec);
  if (match === null) return undefined;
  const [, first = "", last = ""] = match;
  if (first === "" && last === "") return undefined;
  if (first === "") return { start: clamp(size - BigInt(last)), end: size };
  if (last !== "" && BigInt(last) < BigInt(first)) return undefined;
  return { start: BigInt(first), end: last === "" ? size : min(BigInt(last) + 1n, size) };
}

/**
 * The bytes that the path segment `{first}-{last}` of a partial write names, both inclusive.
 *
 * @throws {Fault} `malformed-request` when it is not two decimal numbers, `value-not-allowed`
 * when they are not in order or pass 2^64 - 1
 */
export function rangeOfPath(segment: string): ByteRange {
  const match = PATH.exec(segment);
  if (match === null) {
    throw new Fault(
      "malformed-request",
      `Cannot read range "${
        segment.slice(0, 80)
      }": it must be FIRST-LAST in decimal, both inclusive`,
    );
  }
  const [first, last] = [BigInt(match[1] as string), BigInt(match[2] as string)];
  if (last < first || last > U64_MAX) {
    throw new Fault(
      "value-not-allowed",
      `Cannot write range ${first}-${last}: it must be ascending and below 2^64`,
    );
  }
  return { start: first, end: last + 1n };
}

function clamp(value: bigint): bigint {
  return value < 0n ? 0n : value;
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
