import { Fault } from "../../core/faults.ts";
import { BYTES_BODY_BYTES_MAX, BYTES_REPLY_BYTES_MAX } from "../../core/limits.ts";
import type { Range } from "../../core/segments.ts";
import { contentRange, requestedRange } from "./byte_range.ts";

/** The bytes to answer with, and whether they are a part of the content. */
export interface RequestedBytes extends Range {
  readonly isPartial: boolean;
}

/**
 * Which bytes of a content of `size` bytes a GET asks for.
 *
 * @throws {Fault} `range-not-satisfiable`; `body-too-large` when one answer cannot hold them
 */
export function requestedBytes(rangeHeader: string | undefined, size: bigint): RequestedBytes {
  const range = requestedRange(rangeHeader, size);
  const { start, end } = range ?? { start: 0n, end: size };
  if (end - start > BigInt(BYTES_REPLY_BYTES_MAX)) {
    throw new Fault(
      "body-too-large",
      `Cannot send ${end - start} bytes at once: ask for ranges of at most ` +
        `${BYTES_REPLY_BYTES_MAX} bytes`,
    );
  }
  return { start, end, isPartial: range !== undefined };
}

/**
 * A 200 or 206 answer. The body is copied before this returns, so `bytes` may be a view of a
 * buffer that is used again (the Fetch standard's "extract a body").
 */
export function bytesResponse(
  requested: RequestedBytes,
  size: bigint,
  bytes: Uint8Array<ArrayBuffer>,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(bytes, {
    status: requested.isPartial ? 206 : 200,
    headers: {
      "content-type": "application/octet-stream",
      "accept-ranges": "bytes",
      ...requested.isPartial ? { "content-range": contentRange(requested, size) } : {},
      ...headers,
    },
  });
}

/**
 * Lets only a body of bytes through that are sent as they are: a coded body would be stored coded.
 *
 * @param header Reads a header of the request
 * @throws {Fault} `wrong-media-type`
 */
export function requireOctets(header: (name: string) => string | undefined): void {
  const [type, coding] = [header("content-type"), header("content-encoding")];
  if (coding !== undefined && coding.trim().toLowerCase() !== "identity") {
    throw new Fault(
      "wrong-media-type",
      `Cannot take a body with Content-Encoding "${
        coding.slice(0, 80)
      }": send the bytes themselves`,
    );
  }
  if (type?.split(";")[0]?.trim().toLowerCase() === "application/octet-stream") return;
  throw new Fault(
    "wrong-media-type",
    `Cannot take a body of type ${type?.slice(0, 80)}: send application/octet-stream`,
  );
}

/**
 * The body of a request, of exactly `expected` bytes where that is given.
 *
 * @throws {Fault} `wrong-length`, `body-too-large`
 */
export async function bytesOf(
  request: Request,
  expected?: bigint,
): Promise<Uint8Array<ArrayBuffer>> {
  if (expected !== undefined && expected > BigInt(BYTES_BODY_BYTES_MAX)) {
    throw new Fault(
      "body-too-large",
      `Cannot take ${expected} bytes at once: write ranges of at most ${BYTES_BODY_BYTES_MAX}`,
    );
  }
  const body = new Uint8Array(await request.arrayBuffer());
  if (expected !== undefined && BigInt(body.byteLength) !== expected) {
    throw new Fault(
      "wrong-length",
      `Cannot write the range: it names ${expected} bytes and the body has ${body.byteLength}`,
    );
  }
  return body;
}
