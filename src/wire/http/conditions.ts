/**
 * Conditional requests (RFC 9110 section 13): the rules that every listener obeys which answers with
 * content.
 *
 * @module
 */
import type { Range } from "../../core/segments.ts";
import { requestedRanges } from "./byte_range.ts";

/** The headers of a GET that decide what is sent. */
interface ContentRequest {
  readonly range: string | undefined;
  readonly ifRange: string | undefined;
  readonly ifMatch: string | undefined;
  readonly ifNoneMatch: string | undefined;
}

/** A version of some content. */
interface Version {
  /** Size in bytes. */
  readonly size: bigint;
  /** Its strong entity tag, quoted; `undefined` while the content is being changed. */
  readonly etag: string | undefined;
}

/** What is to be sent: nothing but the status, or these ranges of the content. */
type Selection =
  | { readonly status: 304 }
  | { readonly status: 412 }
  | { readonly status: 200 | 206; readonly ranges: readonly Range[] };

const ENTITY_TAG = /(?:W\/)?"[^"]*"/g;

/** The entity tags of which `If-Match` wants one; `undefined` when any version will do. */
export function matchingTags(ifMatch: string | undefined): readonly string[] | undefined {
  if (ifMatch === undefined || ifMatch.trim() === "*") return undefined;
  return ifMatch.match(ENTITY_TAG) ?? [];
}

/** Whether `If-None-Match` names a version. Weak tags count too. */
function isKnown(ifNoneMatch: string | undefined, etag: string | undefined): boolean {
  if (ifNoneMatch === undefined) return false;
  if (ifNoneMatch.trim() === "*") return true;
  return ifNoneMatch.match(ENTITY_TAG)?.some((tag) => tag.replace(/^W\//, "") === etag) ?? false;
}

/**
 * What to send of a version, in the RFC's order: `If-Match`, `If-None-Match`, then the ranges,
 * unless `If-Range` names another version.
 *
 * @throws {Fault} `range-not-satisfiable`
 */
export function selectContent(
  { range, ifRange, ifMatch, ifNoneMatch }: ContentRequest,
  { size, etag }: Version,
): Selection {
  const wanted = matchingTags(ifMatch);
  if (wanted !== undefined && (etag === undefined || !wanted.includes(etag))) {
    return { status: 412 };
  }
  if (isKnown(ifNoneMatch, etag)) return { status: 304 };
  const isWanted = ifRange === undefined || ifRange === etag;
  const ranges = requestedRanges(isWanted ? range : undefined, size);
  return ranges === undefined
    ? { status: 200, ranges: [{ start: 0n, end: size }] }
    : { status: 206, ranges };
}
