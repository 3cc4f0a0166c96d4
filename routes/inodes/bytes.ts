import { Fault } from "../../src/core/faults.ts";
import { NONBLOCKING_READ_BYTES_MAX, READ_RESTARTS_MAX } from "../../src/core/limits.ts";
import type { Range } from "../../src/core/segments.ts";
import type { CachingInode } from "../../src/inodes/content/caching_inode.ts";
import type { InodeHead } from "../../src/inodes/content/inode_facts.ts";
import { contentRange } from "../../src/wire/http/byte_range.ts";
import { selectContent } from "../../src/wire/http/conditions.ts";
import { rangesBody } from "../../src/wire/http/multipart.ts";
import { bytesResponse, type RequestedBytes } from "../../src/wire/http/octets.ts";

const BYTES_HEADERS = { "content-type": "application/octet-stream", "accept-ranges": "bytes" };

/** One for all requests: an answer copies its body before the next request can use this. */
const scratch = new Uint8Array(NONBLOCKING_READ_BYTES_MAX);

/**
 * The answer to a read: short ones from memory at once, long ones in pieces as the client takes
 * them. An answer that is under way when the content changes breaks off, so that none mixes two
 * versions. The answer to a HEAD reads nothing, and knows no ranges (RFC 9110 section 14.2).
 *
 * @param header Reads a header of the request
 * @throws {Fault} `inode-stale`, `range-not-satisfiable`, `backing-failed`, `backing-changed`
 */
export async function dataResponse(
  inode: CachingInode,
  method: string,
  header: (name: string) => string | undefined,
): Promise<Response> {
  for (let tries = 0; tries < READ_RESTARTS_MAX; tries++) {
    const response = await responseOf(inode, method, header);
    // What was chosen by the tag of one version must not be sent of another.
    if (response !== "changed") return response;
  }
  throw isStale(inode, undefined);
}

async function responseOf(
  inode: CachingInode,
  method: string,
  header: (name: string) => string | undefined,
): Promise<Response | "changed"> {
  const head = inode.head();
  const { etag } = head;
  const selection = selectContent({
    range: method === "HEAD" ? undefined : header("range"),
    ifRange: header("if-range"),
    ifMatch: header("if-match"),
    ifNoneMatch: header("if-none-match"),
  }, head);
  if (selection.status === 412) throw isStale(inode, etag);
  if (selection.status === 304) {
    return new Response(null, { status: 304, headers: etag === undefined ? {} : { etag } });
  }
  if (method === "HEAD") return headResponse(head);
  const { status, ranges } = selection;
  const one = ranges.length === 1 ? ranges[0] : undefined;
  if (one === undefined || one.end - one.start > BigInt(scratch.byteLength)) {
    return await longResponse(inode, ranges, status, head);
  }
  const { start, end } = one;
  return await shortResponse(inode, { start, end, isPartial: status === 206 }, head);
}

function headResponse({ size, etag }: InodeHead): Response {
  const headers = { ...BYTES_HEADERS, "content-length": String(size) };
  return new Response(null, { headers: etag === undefined ? headers : { ...headers, etag } });
}

async function shortResponse(
  inode: CachingInode,
  requested: RequestedBytes,
  { size, etag }: InodeHead,
): Promise<Response | "changed"> {
  const length = Number(requested.end - requested.start);
  let into = scratch.subarray(0, length);
  let read = inode.readNonblocking(into, requested.start);
  const status = read === undefined ? "fwd=miss" : "hit";
  if (read === undefined) {
    // Others may use the scratch memory while this one waits.
    into = new Uint8Array(length);
    read = await inode.read(into, requested.start);
  }
  if (etag !== undefined && etag !== inode.etag) return "changed";
  const headers = {
    "cache-status": `innkeeper; ${status}`,
    ...etag === undefined ? {} : { etag },
  };
  if (read === length) return bytesResponse(requested, size, into, headers);
  return cutResponse(requested, into.subarray(0, read), headers);
}

/** The answer when the content was cut while it was read. */
function cutResponse(
  requested: RequestedBytes,
  bytes: Uint8Array<ArrayBuffer>,
  headers: Readonly<Record<string, string>>,
): Response {
  const end = requested.start + BigInt(bytes.byteLength);
  if (requested.isPartial && bytes.byteLength === 0) {
    throw new Fault(
      "range-not-satisfiable",
      `Cannot send the range from ${requested.start} on: the content was cut meanwhile`,
      { members: { size: String(end) } },
    );
  }
  return bytesResponse({ ...requested, end }, end, bytes, headers);
}

async function longResponse(
  inode: CachingInode,
  ranges: readonly Range[],
  status: 200 | 206,
  { size, etag }: InodeHead,
): Promise<Response> {
  const headers = new Headers({
    ...BYTES_HEADERS,
    "cache-status": `innkeeper; ${inode.hasInMemory(ranges) ? "hit" : "fwd=miss"}`,
  });
  if (etag !== undefined) headers.set("etag", etag);
  const [first, ...others] = ranges;
  if (first !== undefined && others.length === 0) {
    headers.set("content-length", String(first.end - first.start));
    if (status === 206) headers.set("content-range", contentRange(first, size));
    const body = await streamOf(inode.parts(first));
    return new Response(body, { status, headers });
  }
  const { type, length, pieces } = rangesBody(ranges, size, (range) => {
    if (etag !== undefined && etag !== inode.etag) throw isStale(inode, inode.etag);
    return inode.parts(range);
  });
  headers.set("content-type", type);
  headers.set("content-length", String(length));
  return new Response(await streamOf(pieces), { status: 206, headers });
}

/**
 * Pieces as a body. The first is made before there is an answer, so that its failure is answered
 * with a problem.
 */
async function streamOf(pieces: AsyncGenerator<Uint8Array>): Promise<ReadableStream<Uint8Array>> {
  let waiting: IteratorResult<Uint8Array> | undefined = await pieces.next();
  return new ReadableStream({
    async pull(controller) {
      const piece = waiting ?? await pieces.next();
      waiting = undefined;
      if (piece.done === true) controller.close();
      else controller.enqueue(piece.value);
    },
    async cancel() {
      await pieces.return(undefined);
    },
  }, { highWaterMark: 0 });
}

function isStale(inode: CachingInode, etag: string | undefined): Fault {
  return new Fault(
    "inode-stale",
    `Cannot send inode ${inode.identity.id}: it is ${etag ?? "being changed"}, not what was named`,
  );
}
