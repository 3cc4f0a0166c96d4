import { REQUEST_HEAD_BYTES_MAX } from "../core/limits.ts";

/** The head of the first request of a connection: the bytes of it that have come so far. */
export type HeadLook =
  /** More has to come. */
  | { readonly kind: "unfinished" }
  /** The HTTP server decides what it is. */
  | { readonly kind: "http" }
  /** It wants to become a WebSocket. */
  | { readonly kind: "websocket"; readonly bytes: number; readonly request: Request }
  /** It is answered with this status, and the connection is closed. */
  | { readonly kind: "refused"; readonly status: 400 | 426 | 431 };

const END = [0x0d, 0x0a, 0x0d, 0x0a];
const UPGRADE = /\r\nupgrade:[ \t]*websocket/i;
/** A path, or a whole URL as clients send it through a proxy: a unix socket is one to Deno's. */
const LINE = /^GET (?:https?:\/\/[^/ ]+)?(\/[^ ]*) HTTP\/1\.1$/;
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e\x80-\xff\t]*?)[ \t]*$/;
const HTTP_1_1 = /^[^\r\n]* HTTP\/1\.1(?:\r\n|$)/;
const HOST = /\r\nhost:/i;
const A_TO_Z = /^[A-Z]/;

/**
 * Looks at the first bytes of a connection. Only a whole head reaches the HTTP server: whoever sends
 * half of one holds nothing but a descriptor for some seconds.
 */
export function lookAtHead(bytes: Uint8Array): HeadLook {
  const end = indexOfEnd(bytes);
  const text = latin1.decode(bytes.subarray(0, end ?? bytes.byteLength));
  if (!A_TO_Z.test(text)) return { kind: "http" };
  if (end === undefined) {
    return bytes.byteLength < REQUEST_HEAD_BYTES_MAX
      ? { kind: "unfinished" }
      : { kind: "refused", status: 431 };
  }
  // RFC 9112 section 3.2: a request of HTTP/1.1 names its host.
  if (HTTP_1_1.test(text) && !HOST.test(text)) return { kind: "refused", status: 400 };
  if (!UPGRADE.test(text)) return { kind: "http" };
  const request = requestOf(text);
  // RFC 6455 section 4.4: the answer names the version that is known.
  if (![null, undefined, "13"].includes(request?.headers.get("sec-websocket-version"))) {
    return { kind: "refused", status: 426 };
  }
  // Whatever is wrong with it, the HTTP server says so.
  return request === undefined
    ? { kind: "http" }
    : { kind: "websocket", bytes: end + END.length, request };
}

const latin1 = new TextDecoder("latin1");

function indexOfEnd(bytes: Uint8Array): number | undefined {
  for (let at = bytes.indexOf(0x0d); at >= 0; at = bytes.indexOf(0x0d, at + 1)) {
    if (END.every((byte, index) => bytes[at + index] === byte)) return at;
  }
  return undefined;
}

function requestOf(text: string): Request | undefined {
  const [line = "", ...fields] = text.split("\r\n");
  const path = LINE.exec(line)?.[1];
  const headers = new Headers();
  for (const field of fields) {
    const [, name, value] = FIELD.exec(field) ?? [];
    if (name === undefined || value === undefined) return undefined;
    headers.append(name, value);
  }
  const url = path === undefined ? null : URL.parse(`http://${headers.get("host")}${path}`);
  return url === null || !headers.has("host") ? undefined : new Request(url, { headers });
}
