import { Fault } from "../../core/faults.ts";
import { BYTE_PARTS_MAX, FILE_OFFSET_MAX } from "../../core/limits.ts";
import type { Range } from "../../core/segments.ts";
import { contentRange } from "./byte_range.ts";

/** Bytes and where they belong. */
interface BytePart {
  readonly offset: bigint;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

const CONTENT_RANGE = /^bytes\s+([0-9]{1,20})-([0-9]{1,20})\/(?:\*|[0-9]{1,20})$/i;
const BOUNDARY = /;\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i;
const CRLF_CRLF = [13, 10, 13, 10];
const HEAD_BYTES_MAX = 1024;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/**
 * The boundary that a `multipart/byteranges` content type names.
 *
 * @throws {Fault} `wrong-media-type`
 */
export function boundaryOf(type: string | undefined): string {
  const isByteRanges = type?.split(";")[0]?.trim().toLowerCase() === "multipart/byteranges";
  const match = isByteRanges && type !== undefined ? BOUNDARY.exec(type) : null;
  const boundary = match?.[1] ?? match?.[2];
  if (boundary !== undefined) return boundary;
  throw new Fault(
    "wrong-media-type",
    `Cannot take a body of type ${type?.slice(0, 80)}: send multipart/byteranges with a boundary`,
  );
}

/**
 * The parts of a `multipart/byteranges` body (RFC 9110 §14.6), each with its `Content-Range`.
 *
 * @throws {Fault} `malformed-request`, `wrong-length`, `value-not-allowed`
 */
export function byteParts(body: Uint8Array<ArrayBuffer>, boundary: string): BytePart[] {
  const parts: BytePart[] = [];
  const delimiter = encoder.encode(`\r\n--${boundary}`);
  // The first delimiter may be the very beginning of the body.
  const isFirst = startsWith(body, 0, delimiter.subarray(2));
  let at = isFirst ? delimiter.byteLength - 2 : indexAfter(body, delimiter, 0);
  for (;;) {
    if (startsWith(body, at, encoder.encode("--"))) break;
    at = indexAfter(body, encoder.encode("\r\n"), at, at + 64);
    const headEnd = indexAfter(
      body,
      Uint8Array.from(CRLF_CRLF),
      Math.max(0, at - 2),
      at + HEAD_BYTES_MAX,
    );
    const range = rangeOfHead(decoder.decode(body.subarray(at, headEnd)));
    const length = Number(range.end - range.start);
    const end = headEnd + length;
    if (end > body.byteLength || !startsWith(body, end, delimiter)) {
      throw new Fault(
        "wrong-length",
        `Cannot write part ${parts.length + 1}: it has not the ${length} bytes that its ` +
          `Content-Range names`,
      );
    }
    parts.push({ offset: range.start, bytes: body.subarray(headEnd, end) });
    if (parts.length > BYTE_PARTS_MAX) {
      throw new Fault(
        "value-not-allowed",
        `Cannot write more than ${BYTE_PARTS_MAX} parts at once`,
      );
    }
    at = end + delimiter.byteLength;
  }
  if (parts.length === 0) throw malformed("it has no part");
  return parts;
}

/** A `multipart/byteranges` body that is made while it is sent. */
interface RangesBody {
  readonly type: string;
  /** Its length in bytes. */
  readonly length: bigint;
  readonly pieces: AsyncGenerator<Uint8Array>;
}

/**
 * The answer to a request for several ranges (RFC 9110 §14.6).
 *
 * @param size Size of the whole content
 * @param read Reads a range, piece by piece; called when its turn comes
 */
export function rangesBody(
  ranges: readonly Range[],
  size: bigint,
  read: (range: Range) => AsyncIterable<Uint8Array>,
): RangesBody {
  const boundary = crypto.randomUUID();
  const heads = ranges.map((range) =>
    encoder.encode(
      `\r\n--${boundary}\r\ncontent-type: application/octet-stream\r\n` +
        `content-range: ${contentRange(range, size)}\r\n\r\n`,
    )
  );
  const end = encoder.encode(`\r\n--${boundary}--\r\n`);
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (const [index, range] of ranges.entries()) {
      yield heads[index] as Uint8Array;
      yield* read(range);
    }
    yield end;
  }
  const framing = heads.reduce((sum, head) => sum + head.byteLength, end.byteLength);
  const content = ranges.reduce((sum, { start, end }) => sum + end - start, 0n);
  return {
    type: `multipart/byteranges; boundary=${boundary}`,
    length: content + BigInt(framing),
    pieces: pieces(),
  };
}

function rangeOfHead(head: string): Range {
  const line = head.split("\r\n").find((line) => /^content-range\s*:/i.test(line));
  const match = line === undefined
    ? null
    : CONTENT_RANGE.exec(line.slice(line.indexOf(":") + 1).trim());
  if (match === null) throw malformed("a part has no Content-Range of the form bytes A-B/N");
  const [first, last] = [BigInt(match[1] as string), BigInt(match[2] as string)];
  if (last < first || last >= FILE_OFFSET_MAX) {
    throw new Fault(
      "value-not-allowed",
      `Cannot write bytes ${first}-${last}: they must be ascending and below 2^63 - 1`,
    );
  }
  return { start: first, end: last + 1n };
}

function startsWith(body: Uint8Array, at: number, wanted: Uint8Array): boolean {
  return at + wanted.byteLength <= body.byteLength &&
    wanted.every((byte, index) => body[at + index] === byte);
}

/** Index behind the first `wanted` from `from` on that begins before `limit`. */
function indexAfter(
  body: Uint8Array,
  wanted: Uint8Array,
  from: number,
  limit = body.byteLength,
): number {
  for (let at = from; at < Math.min(limit, body.byteLength); at++) {
    at = body.indexOf(wanted[0] as number, at);
    if (at < 0) break;
    if (startsWith(body, at, wanted)) return at + wanted.byteLength;
  }
  throw malformed("a delimiter or the end of a head is missing");
}

function malformed(why: string): Fault {
  return new Fault("malformed-request", `Cannot read the multipart/byteranges body: ${why}`);
}
