import type { HonoRequest, MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { Fault } from "../../src/core/faults.ts";
import {
  BYTES_BODY_BYTES_MAX,
  DEVICE_IMAGE_BYTES_MAX,
  JSON_BODY_BYTES_MAX,
  MULTIPART_BYTES_MAX,
} from "../../src/core/limits.ts";
import type { Principal, Tokens } from "../../src/access/tokens.ts";
import type { Tickets } from "../../src/access/tickets.ts";
import { DEVICE_IMAGE_PATH } from "../devices/image.ts";
import type { Env } from "./env.ts";

const LOOPBACK_HOSTS = ["localhost", "127.0.0.1", "[::1]"];

/**
 * Refuses requests over TCP whose Host header names another machine: a page in a browser that
 * was led here by DNS rebinding sends its own name. Refuses also what a web page of another
 * origin sends: there are no CORS answers, ever.
 */
export function addressGuard(allowed: readonly string[]): MiddlewareHandler<Env> {
  const known = new Set([...LOOPBACK_HOSTS, ...allowed].map((name) => name.toLowerCase()));
  return (c, next) => {
    const host = c.req.header("host") ?? new URL(c.req.url).host;
    if (c.env.listener.kind === "tcp") requireKnown(host, known);
    const origin = c.req.header("origin");
    if (origin !== undefined) requireSame(origin, host);
    return next();
  };
}

function requireKnown(host: string, known: ReadonlySet<string>): void {
  const name = host.replace(/:\d+$/, "").toLowerCase();
  if (known.has(name)) return;
  throw new Fault(
    "host-not-allowed",
    `Cannot answer for host "${name.slice(0, 80)}": start with --allow-host to allow it`,
  );
}

function requireSame(origin: string, host: string): void {
  if (origin === `http://${host}` || origin === `https://${host}`) return;
  throw new Fault(
    "origin-not-allowed",
    `Cannot answer a page of origin "${origin.slice(0, 80)}": only pages of ${host} may call`,
  );
}

/**
 * Finds out who calls: the unix socket's principal, the one behind a bearer token, or for a
 * WebSocket the one behind a ticket.
 */
export function authGuard(tokens: Tokens, tickets: Tickets): MiddlewareHandler<Env> {
  const overTcp = (request: HonoRequest): Principal => {
    const isWebSocket = request.header("upgrade")?.toLowerCase() === "websocket";
    const ticket = isWebSocket ? request.query("ticket") : undefined;
    if (ticket === undefined) {
      return tokens.authenticate(bearer(request.header("authorization")));
    }
    const principal = tickets.redeem(ticket, request.header("origin"));
    tokens.requireKnown(principal);
    return principal;
  };
  return (c, next) => {
    const { listener } = c.env;
    c.set("principal", listener.kind === "unix" ? listener.principal : overTcp(c.req));
    return next();
  };
}

function bearer(authorization: string | undefined): string {
  const match = /^Bearer +([^\s]+)$/i.exec(authorization ?? "");
  if (match === null) {
    throw new Fault(
      "token-missing",
      "Cannot let a caller over TCP in without a token: send Authorization: Bearer TOKEN",
    );
  }
  return match[1] as string;
}

const tooLarge = (): never => {
  throw new Fault(
    "body-too-large",
    `Cannot read the body: JSON may have ${JSON_BODY_BYTES_MAX} bytes, an image of devices ` +
      `${DEVICE_IMAGE_BYTES_MAX}, one in parts ${MULTIPART_BYTES_MAX}, others ` +
      BYTES_BODY_BYTES_MAX,
  );
};

/**
 * Bounds a body of bytes as it passes. Unlike Hono's limit it does not collect one of untold length
 * first: whoever takes it keeps a long one out of memory.
 */
function bytesLimit(max: number): MiddlewareHandler<Env> {
  const counting = (): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> => {
    let bytes = 0;
    return new TransformStream({
      transform(chunk, controller): void {
        bytes += chunk.byteLength;
        if (bytes > max) tooLarge();
        controller.enqueue(chunk);
      },
    });
  };
  return (c, next) => {
    const { raw } = c.req;
    const isTold = raw.headers.has("content-length") && !raw.headers.has("transfer-encoding");
    if (isTold && Number(raw.headers.get("content-length")) > max) tooLarge();
    if (!isTold && raw.body !== null) {
      c.req.raw = new Request(raw, { body: raw.body.pipeThrough(counting()) });
    }
    return next();
  };
}

const jsonLimit: MiddlewareHandler<Env> = bodyLimit({
  maxSize: JSON_BODY_BYTES_MAX,
  onError: tooLarge,
});
const imageLimit: MiddlewareHandler<Env> = bodyLimit({
  maxSize: DEVICE_IMAGE_BYTES_MAX,
  onError: tooLarge,
});
const octetsLimit = bytesLimit(BYTES_BODY_BYTES_MAX);
const partsLimit = bytesLimit(MULTIPART_BYTES_MAX);

/** Bounds the body of every request: by its media type, and the image of devices by its path. */
export const bodyGuard: MiddlewareHandler<Env> = (c, next) => {
  if (c.req.path === DEVICE_IMAGE_PATH) return imageLimit(c, next);
  const type = c.req.header("content-type") ?? "";
  if (/^application\/octet-stream\b/i.test(type)) return octetsLimit(c, next);
  return (/^multipart\/byteranges\b/i.test(type) ? partsLimit : jsonLimit)(c, next);
};
