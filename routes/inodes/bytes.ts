import { Fault } from "../../src/core/faults.ts";
import { NONBLOCKING_READ_BYTES_MAX } from "../../src/core/limits.ts";
import type { CachingInode, InodeHead } from "../../src/inodes/store/caching_inode.ts";
import { type ByteRange, requestedRanges } from "../../src/wire/http/byte_range.ts";
import { partHead, partsEnd } from "../../src/wire/http/multipart.ts";
import { bytesResponse, type RequestedBytes } from "../http/octets.ts";
import { entityTags } from "./views.ts";

/** The headers of a read that decide what is answered. */
interface DataAsked {
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
  readonly ifMatch: string | undefined;
  readonly ifNoneMatch: string | undefined;
}

/** One for all requests: an answer copies its body before the next request can use this. */
const scratch = new Uint8Array(NONBLOCKING_READ_BYTES_MAX);

/**
 * The answer to a read: short ones from memory at once, long ones in parts as the client takes
 * them. One that is under way when the content changes breaks off: no answer mixes two versions.
 *
 * @throws {Fault} `inode-stale`, `range-not-satisfiable`, `backing-failed`, `backing-changed`
 */
export async function dataResponse(inode: CachingInode, asked: DataAsked): Promise<Response> {
  const head = inode.head();
  const { size, etag } = head;
  requireMatch(inode, head, entityTags(asked.ifMatch));
  const known = entityTags(asked.ifNoneMatch)?.map((tag) => tag.replace(/^W\//, ""));
  if (known !== undefined && (known.includes("*") || etag !== undefined && known.includes(etag))) {
    return new Response(null, { status: 304, headers: etag === undefined ? {} : { etag } });
  }
  const isWanted = asked.ifRange === undefined || asked.ifRange === etag;
  const ranges = requestedRanges(isWanted ? asked.range : undefined, size);
  const [first = { start: 0n, end: size }, ...others] = ranges ?? [];
  if (others.length > 0) return partsResponse(inode, [first, ...others], head);
  const one = { ...first, partial: ranges !== undefined };
  return one.end - one.start <= BigInt(scratch.byteLength)
    ? await shortResponse(inode, one, head)
    : await longResponse(inode, one, head);
}

async function shortResponse(
  inode: CachingInode,
  asked: RequestedBytes,
  { size, etag }: InodeHead,
): Promise<Response> {
  const length = Number(asked.end - asked.start);
  let into = scratch.subarray(0, length);
  let read = inode.readNonblocking(into, asked.start);
  const status = read === undefined ? "fwd=miss" : "hit";
  if (read === undefined) {
    // Others may use the scratch memory while this one waits.
    into = new Uint8Array(length);
    read = await inode.read(into, asked.start);
  }
  const headers = {
    "cache-status": `innkeeper; ${status}`,
    // Bytes that were read while the content changed belong to no version.
    ...(etag !== undefined && etag === inode.etag ? { etag } : {}),
  };
  if (read === length) return bytesResponse(asked, size, into, headers);
  return cutResponse(asked, into.subarray(0, read), headers);
}

/** The answer when the content was cut while it was read. */
function cutResponse(
  asked: RequestedBytes,
  bytes: Uint8Array<ArrayBuffer>,
  headers: Readonly<Record<string, string>>,
): Response {
  const end = asked.start + BigInt(bytes.byteLength);
  if (asked.partial && bytes.byteLength === 0) {
    throw new Fault(
      "range-not-satisfiable",
      `Cannot send the range from ${asked.start} on: the content was cut meanwhile`,
      { members: { size: String(end) } },
    );
  }
  return bytesResponse({ ...asked, end }, end, bytes, headers);
}

async function longResponse(
  inode: CachingInode,
  { start, end, partial }: RequestedBytes,
  { size, etag }: InodeHead,
): Promise<Response> {
  const headers = streamHeaders(etag, "application/octet-stream", end - start);
  if (partial) headers.set("content-range", `bytes ${start}-${end - 1n}/${size}`);
  const body = await streamOf(inode.parts({ start, end }));
  return new Response(body, { status: partial ? 206 : 200, headers });
}

async function partsResponse(
  inode: CachingInode,
  ranges: readonly ByteRange[],
  { size, etag }: InodeHead,
): Promise<Response> {
  const boundary = crypto.randomUUID();
  const heads = ranges.map((range) => partHead(boundary, range, size));
  const end = partsEnd(boundary);
  const framing = heads.reduce((sum, head) => sum + head.byteLength, end.byteLength);
  const content = ranges.reduce((sum, { start, end }) => sum + end - start, 0n);
  const type = `multipart/byteranges; boundary=${boundary}`;
  const headers = streamHeaders(etag, type, content + BigInt(framing));
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (const [index, range] of ranges.entries()) {
      requireMatch(inode, inode.head(), etag === undefined ? undefined : [etag]);
      yield heads[index] as Uint8Array;
      yield* inode.parts(range);
    }
    yield end;
  }
  return new Response(await streamOf(pieces()), { status: 206, headers });
}

function streamHeaders(etag: string | undefined, type: string, length: bigint): Headers {
  const headers = new Headers({
    "content-type": type,
    "content-length": String(length),
    "accept-ranges": "bytes",
    "cache-status": "innkeeper; fwd=stream",
  });
  if (etag !== undefined) headers.set("etag", etag);
  return headers;
}

/** Pieces as a body. The first is made before there is an answer: a failure of it is a problem. */
async function streamOf(pieces: AsyncGenerator<Uint8Array>): Promise<ReadableStream<Uint8Array>> {
  const first = await pieces.next();
  let waiting: IteratorResult<Uint8Array> | undefined = first;
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

function requireMatch(
  inode: CachingInode,
  { etag }: InodeHead,
  tags: readonly string[] | undefined,
): void {
  if (tags === undefined || tags.includes("*")) return;
  if (etag !== undefined && tags.includes(etag)) return;
  throw new Fault(
    "inode-stale",
    `Cannot send inode ${inode.identity.id}: it is ${etag ?? "being changed"}, not what was named`,
  );
}
