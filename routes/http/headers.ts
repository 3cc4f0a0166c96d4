/** What the headers of the API mean, those of requests and those of answers. */

/** A header in the OpenAPI document. */
interface Header {
  readonly description: string;
  readonly example: string;
}

/** Headers that an endpoint may read. */
export const REQUEST_HEADERS = {
  "Idempotency-Key": {
    description: "A key of the caller's choice, of at most 64 printable characters: the same " +
      "request with the same key is carried out once, and its repetitions get the first answer",
    example: "bump-vm-7-2026-11-20",
  },
  "If-Match": {
    description: "Entity tags of which the version must be one, or `*`",
    example: '"3-5f0c9a3b"',
  },
  "If-None-Match": {
    description: "The entity tag of what the caller has: the answer is 304 while it is current",
    example: '"7"',
  },
  "If-Range": {
    description: "The entity tag that the range is meant for; all is sent of another version",
    example: '"3-5f0c9a3b"',
  },
  "Innkeeper-Owner": {
    description: "The owner's token that came with the guest",
    example: "4d1f0c5b7a9e4b3f8c2d6a7f00112233",
  },
  "Innkeeper-Watcher-Token": {
    description: "The newest token of a watcher over HTTP. Once one was shown, every call must",
    example: "sUkVY0h9mJr2r1k3b0bJm2c4",
  },
  "Last-Event-ID": {
    description: "Number of the last event that the reader has: the stream goes on after it",
    example: "41",
  },
  "Prefer": {
    description: "`wait=N`: how many seconds to wait for what is asked for, instead of being " +
      "refused at once (RFC 7240)",
    example: "wait=30",
  },
  "Range": {
    description: "The bytes wanted, such as `bytes=0-4095` (RFC 9110)",
    example: "bytes=0-4095",
  },
  "Sec-WebSocket-Protocol": {
    description: "The subprotocols that the caller speaks, for an upgrade to a WebSocket",
    example: "innkeeper.watch.v1",
  },
} as const satisfies Record<string, Header>;

/** A header that an endpoint may read. */
export type RequestHeader = keyof typeof REQUEST_HEADERS;

/** Headers that an answer may have. */
export const RESPONSE_HEADERS = {
  "Accept-Ranges": { description: "`bytes`: ranges can be asked for", example: "bytes" },
  "Cache-Status": {
    description: "Whether the bytes were in the cache (RFC 9211)",
    example: "innkeeper; hit",
  },
  "Content-Range": { description: "Which bytes these are, of how many", example: "bytes 0-3/4096" },
  "ETag": { description: "The entity tag of this version", example: '"7"' },
  "Innkeeper-Console-End": { description: "Offset of the byte after these", example: "812" },
  "Innkeeper-Console-Start": { description: "Offset of the first of these bytes", example: "0" },
  "Innkeeper-Generation": { description: "The generation for which it is open", example: "7" },
  "Innkeeper-Quiesce": {
    description: "The quiesce that is on: stand still, and answer it",
    example: "q-0123456789abcdef",
  },
  "Innkeeper-Watcher-Token": {
    description: "The next token of the watcher; the one that was shown is spent",
    example: "sUkVY0h9mJr2r1k3b0bJm2c4",
  },
  "Preference-Applied": { description: "The wait that was granted", example: "wait=30" },
  "Retry-After": { description: "Seconds after which to try again", example: "1" },
  "WWW-Authenticate": { description: "How to say who calls", example: "Bearer" },
} as const satisfies Record<string, Header>;

/** A header that an answer may have. */
export type ResponseHeader = keyof typeof RESPONSE_HEADERS;

/** Headers of an answer in the description of a route. */
export function answerHeaders(...names: readonly ResponseHeader[]) {
  return Object.fromEntries(
    names.map((name) => [name, { $ref: `#/components/headers/${name}` }]),
  );
}
