import { Fault } from "../../core/faults.ts";
import { BYTE_PARTS_MAX, U64_MAX } from "../../core/limits.ts";
import { maxOf, minOf, type Range } from "../../core/segments.ts";

const SET = /^\s*bytes\s*=(.*)$/i;
const ONE = /^([0-9]*)\s*-\s*([0-9]*)$/;
const PATH = /^([0-9]{1,20})-([0-9]{1,20})$/;

/**
 * The bytes that a `Range` header asks for, where only one range can be answered.
 *
 * @param header The header, `undefined` for none
 * @param size Size of the representation in bytes
 * @returns `undefined` when the whole representation is to be sent: as
 * {@linkcode requestedRanges}, or because the header asks for several ranges
 * @throws {Fault} `range-not-satisfiable` when no byte of the range exists
 */
export function requestedRange(header: string | undefined, size: bigint): Range | undefined {
  return header?.includes(",") ? undefined : requestedRanges(header, size)?.[0];
}

/**
 * The ranges that a `Range` header asks for (RFC 9110 §14.2), in its order: first-last, first-, or
 * -suffix. Those of which no byte exists are left out.
 *
 * @returns `undefined` when the whole representation is to be sent: no header, one that is not in
 * bytes or malformed, too many ranges, or more bytes than there are: the RFC lets a server ignore
 * those
 * @throws {Fault} `range-not-satisfiable` when no byte of any range exists
 */
export function requestedRanges(
  header: string | undefined,
  size: bigint,
): readonly Range[] | undefined {
  const set = header === undefined ? undefined : SET.exec(header)?.[1];
  const texts = set?.split(",").map((text) => text.trim()).filter(Boolean) ?? [];
  if (texts.length === 0 || texts.length > BYTE_PARTS_MAX) return undefined;
  const ranges: Range[] = [];
  for (const text of texts) {
    const range = rangeOf(text, size);
    if (range === undefined) return undefined;
    if (range.start < range.end) ranges.push(range);
  }
  if (ranges.length === 0) {
    throw new Fault(
      "range-not-satisfiable",
      `Cannot send "${header?.slice(0, 80)}": the content has ${size} bytes`,
      { members: { size: String(size) } },
    );
  }
  const total = ranges.reduce((sum, { start, end }) => sum + end - start, 0n);
  return ranges.length > 1 && total > size ? undefined : ranges;
}

/** One range of a set, empty when no byte of it exists; `undefined` when it is malformed. */
function rangeOf(text: string, size: bigint): Range | undefined {
  const match = ONE.exec(text);
  if (match === null) return undefined;
  const [, first = "", last = ""] = match;
  if (first === "" && last === "") return undefined;
  // The last bytes of an empty content are all of it, which no Content-Range can say.
  if (first === "" && size === 0n && BigInt(last) > 0n) return undefined;
  if (first === "") return { start: maxOf(0n, size - BigInt(last)), end: size };
  if (last !== "" && BigInt(last) < BigInt(first)) return undefined;
  return { start: BigInt(first), end: last === "" ? size : minOf(BigInt(last) + 1n, size) };
}

/**
 * Refuses a `Content-Range` that names other bytes than the path of the request.
 *
 * @throws {Fault} `malformed-request`
 */
export function requireSameRange(header: string | undefined, { start, end }: Range): void {
  if (header === undefined) return;
  const match = /^\s*bytes\s+([0-9]{1,20})-([0-9]{1,20})\/(?:[0-9]+|\*)\s*$/i.exec(header);
  if (match !== null && BigInt(match[1] ?? 0) === start && BigInt(match[2] ?? 0) + 1n === end) {
    return;
  }
  throw new Fault(
    "malformed-request",
    `Cannot write range ${start}-${end - 1n}: Content-Range says "${header.slice(0, 80)}"; leave ` +
      "it out, or let it name the same bytes",
  );
}

/** The `Content-Range` of a range that is sent. */
export function contentRange({ start, end }: Range, size: bigint): string {
  return `bytes ${start}-${end - 1n}/${size}`;
}

/**
 * The bytes that the path segment `{first}-{last}` of a partial write names, both inclusive.
 *
 * @throws {Fault} `malformed-request` when it is not two decimal numbers, `value-not-allowed`
 * when they are not in order or pass 2^64 - 1
 */
export function rangeOfPath(segment: string): Range {
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
