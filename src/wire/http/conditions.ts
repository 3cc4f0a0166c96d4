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

/**
 * The entity tags of which `If-None-Match` wants none, `*` for any; `undefined` without the header.
 * Weak tags count as strong ones.
 */
function knownTags(ifNoneMatch: string | undefined): readonly string[] | undefined {
  if (ifNoneMatch?.trim() === "*") return ["*"];
  return ifNoneMatch?.match(ENTITY_TAG)?.map((tag) => tag.replace(/^W\//, ""));
}

/** What a request that changes a content wants of its version (RFC 9110 section 13.1). */
export function preconditionsOf(
  header: (name: string) => string | undefined,
): { readonly ifMatch?: readonly string[]; readonly ifNoneMatch?: readonly string[] } {
  const ifMatch = matchingTags(header("if-match"));
  const ifNoneMatch = knownTags(header("if-none-match"));
  return {
    ...ifMatch === undefined ? {} : { ifMatch },
    ...ifNoneMatch === undefined ? {} : { ifNoneMatch },
  };
}

/** Whether the caller has a version already. */
function isKnown(ifNoneMatch: string | undefined, etag: string | undefined): boolean {
  const known = knownTags(ifNoneMatch);
  return known !== undefined && (known.includes("*") || etag !== undefined && known.includes(etag));
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
